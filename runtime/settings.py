"""The settings of a process, from the environment; read by composition roots and nobody else."""

import json
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from domain.challenge import DEFAULT_CODE_LENGTH
from rules.addresses import Network, NetworkError, networks_of, proxies_of
from rules.protection.checks import (
    FAILURES_CAP,
    WRONG_CHECKS_PER_HOUR_ACCOUNT,
    WRONG_CHECKS_PER_HOUR_INSTANCE,
    CheckLimits,
    unsafe_limits,
)
from runtime.temporal_settings import TemporalSettings

ROOT = Path(__file__).resolve().parent.parent

# Which driver serves a database URL; users write the scheme they know.
_DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}


class Settings(TemporalSettings):
    """Everything an instance can be told. Each field is `COUNTERSIGN_<NAME>` (`docs/operations.md`)."""

    model_config = SettingsConfigDict(env_prefix="COUNTERSIGN_", extra="ignore")

    home: Path = Path("var")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_origin: str | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    allow_plaintext: bool = False
    connections: int = Field(default=4096, ge=16, le=65536)
    database_url: str | None = None
    database_pool: int = Field(default=20, ge=1, le=500)
    master_key: SecretStr | None = None
    master_key_file: Path | None = None
    master_keys_previous: SecretStr | None = None
    key_encryption: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    api_rate: int = Field(default=10, ge=0)
    api_processes: int = Field(default=1, ge=1, le=64)
    redis_url: str | None = None
    trusted_proxies: str = ""
    operator_allowlist: str = ""
    failed_authentications_per_min: int = Field(default=5, ge=0)
    failures_in_a_row: int = FAILURES_CAP
    wrong_checks_per_hour: int = Field(default=WRONG_CHECKS_PER_HOUR_ACCOUNT, ge=1)
    wrong_checks_per_hour_instance: int = Field(default=WRONG_CHECKS_PER_HOUR_INSTANCE, ge=1)
    route_decisions_kept_days: int = Field(default=90, ge=1, le=3650)
    numbers_per_account: int = Field(default=10, ge=1, le=100_000)
    routes_file: Path = ROOT / "reference" / "routes.json"
    sandbox_url: str | None = None
    sandbox_secret: SecretStr | None = None
    carrier_timeout_s: float = Field(default=3.0, gt=0, le=5)
    webhooks_to_loopback: bool = False
    log_json: bool = False

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        """Refuse combinations that would break a promise, with a sentence that says which."""
        why = unsafe_limits(self.check_limits, code_length=DEFAULT_CODE_LENGTH)
        if why is not None:
            raise ValueError(f"COUNTERSIGN_FAILURES_IN_A_ROW: {why}")
        if self.database_url is not None and self.database_url.partition("://")[0] not in _DRIVERS:
            raise ValueError("COUNTERSIGN_DATABASE_URL must begin with postgresql:// or sqlite:///")
        if self.public_origin is not None and (why_not := _no_issuer(self.public_origin)) is not None:
            raise ValueError(f"COUNTERSIGN_PUBLIC_ORIGIN {why_not}")
        given = [each for each in (self.master_key, self.master_key_file, self.key_encryption) if each is not None]
        if len(given) > 1:
            raise ValueError(
                "COUNTERSIGN_MASTER_KEY, COUNTERSIGN_MASTER_KEY_FILE and COUNTERSIGN_KEY_ENCRYPTION each name the "
                "key-encryption key: set one of them; earlier ones belong into COUNTERSIGN_MASTER_KEYS_PREVIOUS"
            )
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("COUNTERSIGN_TLS_CERT_FILE and COUNTERSIGN_TLS_KEY_FILE are set together, or not at all")
        if self.api_processes > 1 and self.api_rate and self.redis_url is None:
            raise ValueError(
                "COUNTERSIGN_API_PROCESSES is over 1 but request rates are counted in each process's memory: set "
                "COUNTERSIGN_REDIS_URL so that they share one count, or COUNTERSIGN_API_RATE=0 to have no request rate"
            )
        try:
            proxies_of(self.trusted_proxies)
        except NetworkError as error:
            raise ValueError(f"COUNTERSIGN_TRUSTED_PROXIES: {error}") from None
        try:
            _networks(self.operator_allowlist)
        except NetworkError as error:
            raise ValueError(f"COUNTERSIGN_OPERATOR_ALLOWLIST: {error}") from None
        return self

    @property
    def check_limits(self) -> CheckLimits:
        """Return the limits on guesses."""
        return CheckLimits(failures_in_a_row=self.failures_in_a_row)

    @property
    def issuer(self) -> str:
        """Return the URL by which clients know this instance: the one given, else of where it listens."""
        if self.public_origin is not None:
            return self.public_origin
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.tls_cert_file is None else 'https'}://{host}:{self.port}"

    @property
    def exposure(self) -> str | None:
        """Return why the API must not be served like this; None when it may."""
        if self.tls_cert_file is not None or self.allow_plaintext or _is_loopback(self.host):
            return None
        return (
            "COUNTERSIGN_HOST is not a loopback address, so keys and codes would cross a network in clear. Set "
            "COUNTERSIGN_TLS_CERT_FILE and COUNTERSIGN_TLS_KEY_FILE, or COUNTERSIGN_ALLOW_PLAINTEXT=1 where only a "
            "proxy with TLS can reach this port"
        )

    @property
    def operator_networks(self) -> tuple[Network, ...]:
        """Return the networks that operators may call from; none is any."""
        return _networks(self.operator_allowlist)

    @property
    def database(self) -> str:
        """Return the database's URL with its driver: the one given, else a file in the state directory."""
        if self.database_url is None:
            return f"sqlite+aiosqlite:///{self.home.resolve() / 'countersign.db'}"
        scheme, _, rest = self.database_url.partition("://")
        return f"{_DRIVERS[scheme]}://{rest}"


def _no_issuer(url: str) -> str | None:
    """Say why a URL cannot name this instance (RFC 8414, §2); None when it can."""
    parts = urlsplit(url)
    if url != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        return "is the address that callers use, like https://verify.example.com, with nothing after it"
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        return "begins with https://: tokens are secrets"
    return None if parts.hostname else "names no host"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _networks(text: str) -> tuple[Network, ...]:
    return networks_of(word for word in (each.strip() for each in text.split(",")) if word)


def read_settings() -> Settings:
    """Return the environment's settings; unusable ones end the process with the sentence that says why."""
    try:
        return Settings()
    except ValidationError as error:
        sys.exit(told(error))


def told(error: ValidationError) -> str:
    """Return what is wrong with the settings, one per line, without repeating their values."""
    return "\n".join(
        f"COUNTERSIGN_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" if each["loc"] else each["msg"]
        for each in error.errors(include_input=False)
    )


def reference(name: str) -> Any:
    """Return a piece of the reference data shipped with the product."""
    return json.loads((ROOT / "reference" / name).read_text(encoding="utf-8"))
