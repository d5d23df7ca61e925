"""The settings of the way to Temporal: where it is, who it is proved to be, and what it may read."""

from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

_FILES = ("temporal_tls_ca_file", "temporal_tls_cert_file", "temporal_tls_key_file", "temporal_api_key_file")
_OF_TLS = ("temporal_tls_ca_file", "temporal_tls_cert_file", "temporal_tls_key_file", "temporal_tls_server_name")


class PayloadEncryption(StrEnum):
    """What is done with the payloads of workflows."""

    STRICT = "strict"
    LENIENT = "lenient"
    OFF = "off"


class TemporalSettings(BaseSettings):
    """How a process reaches Temporal."""

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_tls: bool = False
    temporal_tls_ca_file: Path | None = None
    temporal_tls_cert_file: Path | None = None
    temporal_tls_key_file: Path | None = None
    temporal_tls_server_name: str | None = None
    temporal_api_key: SecretStr | None = None
    temporal_api_key_file: Path | None = None
    temporal_ui_origin: str | None = Field(default=None, pattern=r"^https?://[^/\s*?#@]+$")
    payload_encryption: PayloadEncryption | None = None

    @property
    def payloads(self) -> PayloadEncryption:
        """Return what is done with payloads: what is set, else the strictest. `make run` sets it for its own server."""
        return self.payload_encryption or PayloadEncryption.STRICT

    @model_validator(mode="after")
    def _refuse_unsafe_temporal(self) -> Self:
        """Refuse what would send something in clear that is not to be, with a sentence that says which."""
        for why in (self._wrong_files(), self._wrong_tls(), self._wrong_key(), self._wrong_encryption()):
            if why is not None:
                raise ValueError(why)
        return self

    def _wrong_files(self) -> str | None:
        for name in _FILES:
            file: Path | None = getattr(self, name)
            if file is not None and not _is_readable(file):
                return f"{_setting(name)} names a file that cannot be read"
        return None

    def _wrong_tls(self) -> str | None:
        if (self.temporal_tls_cert_file is None) is not (self.temporal_tls_key_file is None):
            return (
                "COUNTERSIGN_TEMPORAL_TLS_CERT_FILE and COUNTERSIGN_TEMPORAL_TLS_KEY_FILE belong together: "
                "set both for mutual TLS, or neither"
            )
        given = [name for name in _OF_TLS if getattr(self, name) is not None]
        if given and not self.temporal_tls:
            return f"{_setting(given[0])} is set but TLS is off: set COUNTERSIGN_TEMPORAL_TLS=true"
        return None

    def _wrong_key(self) -> str | None:
        if self.temporal_api_key is not None and self.temporal_api_key_file is not None:
            return "set COUNTERSIGN_TEMPORAL_API_KEY or COUNTERSIGN_TEMPORAL_API_KEY_FILE, not both"
        if self.temporal_key() is not None and not self.temporal_tls:
            return (
                "COUNTERSIGN_TEMPORAL_API_KEY would cross the network in clear: set COUNTERSIGN_TEMPORAL_TLS=true, "
                "or take the key away"
            )
        return None

    def _wrong_encryption(self) -> str | None:
        if self.payload_encryption is PayloadEncryption.OFF and not _is_this_machine(self.temporal_address):
            return (
                "COUNTERSIGN_PAYLOAD_ENCRYPTION is off but COUNTERSIGN_TEMPORAL_ADDRESS is another machine, which "
                "would keep every payload in clear: leave it strict, or lenient while workflows from before run on"
            )
        return None

    def temporal_key(self) -> str | None:
        """Return the API key of a hosted Temporal, given or read from its file."""
        if self.temporal_api_key is not None:
            return self.temporal_api_key.get_secret_value()
        if self.temporal_api_key_file is not None:
            return self.temporal_api_key_file.read_text(encoding="utf-8").strip()
        return None


def _setting(name: str) -> str:
    return f"COUNTERSIGN_{name.upper()}"


def _is_readable(file: Path) -> bool:
    try:
        return bool(file.read_bytes())
    except OSError:
        return False


def _is_this_machine(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
