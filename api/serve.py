"""`python -m api.serve`: an API process, or several, as the environment's settings say; until SIGTERM."""

import signal
import sys

from api.server import config_of, room_for, run
from api.tls import BadCertificateError, Certificate
from runtime.settings import Settings, read_settings


def main() -> None:
    """Serve; settings that would be unsafe end the process with the sentence that says why."""
    settings = read_settings()
    if settings.exposure is not None:
        sys.exit(settings.exposure)
    run(
        config_of(
            "api.main:create",
            host=settings.host,
            port=settings.port,
            processes=settings.api_processes,
            connections=room_for(settings.connections),
            certificate=_certificate(settings),
        )
    )


def _certificate(settings: Settings) -> Certificate | None:
    """Return the certificate to serve with, tried once here, where a sentence about it can still be read."""
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    # Who renews certificates sends it out of habit; the files are looked at without.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    certificate = Certificate(cert_file=settings.tls_cert_file, key_file=settings.tls_key_file)
    try:
        certificate.context()
    except BadCertificateError as error:
        sys.exit(str(error))
    return certificate


if __name__ == "__main__":
    main()
