"""TLS by settings: one certificate and its key, read again when their files have changed.

Each handshake looks at the files' times, so a renewed certificate is used by the next connection, without a signal, and
no connection is dropped. Files that do not fit together, as in the middle of a renewal, are left alone until they do.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import structlog

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_log = structlog.get_logger()


class BadCertificateError(RuntimeError):
    """The certificate or the key cannot be used; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Where a certificate (with what leads up to its authority) and its key are, in PEM."""

    cert_file: Path
    key_file: Path

    def __call__(self, *_: object) -> ssl.SSLContext:
        """Return the context that a server listens with: uvicorn's `ssl_context_factory`."""
        context = self.context()
        context.sni_callback = _Newest(self, context)
        return context

    def context(self) -> ssl.SSLContext:
        """Return a context with what the files hold now.

        Raises:
            BadCertificateError: they cannot be read, or are no certificate and its key.

        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        try:
            # Without an answer to give, OpenSSL would ask the terminal for the password of an encrypted key.
            context.load_cert_chain(self.cert_file, self.key_file, password=lambda: "")
        except ssl.SSLError as error:
            raise BadCertificateError(
                f"{self.cert_file} and {self.key_file} are not a certificate and its unencrypted key, in PEM "
                f"({error.reason or 'unreadable'}): COUNTERSIGN_TLS_CERT_FILE, COUNTERSIGN_TLS_KEY_FILE"
            ) from None
        except OSError as error:
            raise BadCertificateError(
                f"{self._unreadable()} cannot be read ({error.strerror}): "
                "COUNTERSIGN_TLS_CERT_FILE, COUNTERSIGN_TLS_KEY_FILE"
            ) from None
        return context

    def stamp(self) -> object:
        """Return what differs when a file was replaced."""
        found = [each.stat() for each in (self.cert_file, self.key_file)]
        return [(each.st_mtime_ns, each.st_ino, each.st_size) for each in found]

    def _unreadable(self) -> Path:
        try:
            self.cert_file.read_bytes()
        except OSError:
            return self.cert_file
        return self.key_file


class _Newest:
    """Gives each handshake the newest certificate that is whole."""

    def __init__(self, certificate: Certificate, context: ssl.SSLContext) -> None:
        self._certificate, self._context = certificate, context
        self._stamp = certificate.stamp()

    def __call__(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        """Called by OpenSSL once the client has begun."""
        self._look_again()
        connection.context = self._context

    def _look_again(self) -> None:
        try:
            stamp = self._certificate.stamp()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._context = self._certificate.context()
        except (OSError, BadCertificateError) as error:
            _log.warning("certificate_not_taken", why=str(error))
        else:
            _log.info("certificate_taken")
