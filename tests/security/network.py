"""A small internet: names that a test chooses, addresses that all lead to one sink, certificates of its own."""

import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpcore2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.webhooks.sink import HOST
from rules.webhooks.addresses import Address


# Inherits because the pool's type asks for it.
class Here(httpcore2.AsyncNetworkBackend):
    """A network on which every address leads to one port here: whatever is connected to, its listener sees it."""

    def __init__(self, here: int) -> None:
        self.dialled: list[tuple[str, int]] = []
        self._here = here
        self._real = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the pool's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.dialled.append((host, port))
        return await self._real.connect_tcp(HOST, self._here, timeout, local_address, socket_options)


@dataclass(kw_only=True)
class Names:
    """A resolver: each name has a list of answers, of which the last one stays."""

    answers: Mapping[str, Sequence[Sequence[str]]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, name: str) -> Sequence[Address]:
        self.asked.append(name)
        all_answers = self.answers.get(name, [[]])
        answer = all_answers[min(self.asked.count(name), len(all_answers)) - 1]
        return [ip_address(text) for text in answer]


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """What a server on the small internet shows, and what its callers trust."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext


def certificates(folder: Path, *, name: str, days: int = 1) -> Certificates:
    """Return a certificate for a name, signed by itself, good until so many days from now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(tz=UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    file = folder / f"{name}.pem"
    clear = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM) + clear)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return Certificates(server=server, trusting=ssl.create_default_context(cafile=str(file)))
