"""The parts that API, worker and CLI have in common, each made from settings in one place."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from carriers.inventory import NumberInventory
from carriers.null import NullCarrier
from carriers.protocol import Carrier, ReceiptReader
from carriers.sandbox import SandboxCarrier, SandboxReceipts
from carriers.sandbox_control import SandboxControl
from carriers.sandbox_inventory import SandboxInventory
from domain.statuses import Environment
from rules.routing.catalog import Catalog, SenderType, catalog_of
from rules.routing.pools import PoolBook, pool_book_of
from rules.webhooks.targets import TargetPolicy
from runtime.settings import Settings, reference
from security.columns import Sealer
from security.keyring import KeyRing
from security.webhook_secrets import WebhookSecrets

# Settings that may hold a password in the clear, and one with a port that `make run` draws anew each time. Those of a
# secret type show nothing anyway.
NOT_RECORDED = frozenset({"database_url", "redis_url", "sandbox_url"})
# Below the 75 s after which the sandbox closes an idle connection, so that none is used while it is being closed.
_KEEP_ALIVE_S = 60.0


def number_sealer(keys: KeyRing) -> Sealer:
    """Return what seals the column that holds the numbers."""
    return Sealer(keys, table="verification", column="number")


def webhook_secrets(keys: KeyRing) -> WebhookSecrets:
    """Return what makes and opens the secrets that webhooks are signed with."""
    return WebhookSecrets(Sealer(keys, table="webhook", column="secret"))


def target_policy(settings: Settings) -> TargetPolicy:
    """Return where webhooks may be sent."""
    return TargetPolicy(is_loopback_allowed=settings.webhooks_to_loopback)


def catalog(settings: Settings) -> Catalog:
    """Return the senders and policies of the routes file."""
    return catalog_of(_routes(settings), reference("country_rules.json")["countries"])


def pool_book() -> PoolBook:
    """Return the pools that come with the product."""
    return pool_book_of(reference("pools.json"), reference("country_rules.json")["countries"])


def sender_types() -> Mapping[str, frozenset[SenderType]]:
    """Return which kinds of senders each country takes; `**` is every other country."""
    return pool_book().sender_types


def carriers(settings: Settings, http: httpx2.AsyncClient) -> dict[str, Carrier]:
    """Return the adapters of the carriers in the routes file that this instance is set up for."""
    made: dict[str, Carrier] = {}
    for name, each in _routes(settings)["carriers"].items():
        match each["adapter"]:
            case "null":
                made[name] = NullCarrier(name)
            case "sandbox" if settings.sandbox_url is not None:
                made[name] = SandboxCarrier(
                    name=name,
                    base_url=settings.sandbox_url,
                    secret=_sandbox_secret(settings),
                    client=http,
                    timeout_s=settings.carrier_timeout_s,
                )
    return made


def inventories(settings: Settings, http: httpx2.AsyncClient) -> dict[Environment, dict[str, NumberInventory]]:
    """Return the carriers that have numbers to give, each environment's apart; scripted ones are the sandbox's."""
    if settings.sandbox_url is None:
        return {}
    names = sorted(scripted_carriers(settings))
    url, secret = settings.sandbox_url, _sandbox_secret(settings)
    return {
        Environment.SANDBOX: {
            name: SandboxInventory(
                name=name, base_url=url, secret=secret, client=http, timeout_s=settings.carrier_timeout_s
            )
            for name in names
        }
    }


def scripted_carriers(settings: Settings) -> frozenset[str]:
    """Return the names of the carriers that play the outside world."""
    return frozenset(name for name, each in _routes(settings)["carriers"].items() if each["adapter"] == "sandbox")


def connection_rates(settings: Settings) -> dict[str, float]:
    """Return the message parts a second of the carriers whose routes file sets them."""
    carriers_ = _routes(settings)["carriers"]
    return {name: each["parts_per_s"] for name, each in carriers_.items() if "parts_per_s" in each}


def receipt_readers(settings: Settings) -> dict[str, ReceiptReader]:
    """Return what reads the receipts of each carrier that sends some."""
    if settings.sandbox_url is None:
        return {}
    reader = SandboxReceipts(secret=_sandbox_secret(settings))
    return dict.fromkeys(scripted_carriers(settings), reader)


def sandbox_control(settings: Settings, http: httpx2.AsyncClient) -> SandboxControl | None:
    """Return the way to the sandbox's outbox and scripts, if this instance has a sandbox."""
    if settings.sandbox_url is None:
        return None
    return SandboxControl(base_url=settings.sandbox_url, secret=_sandbox_secret(settings), client=http)


@asynccontextmanager
async def carrier_client() -> AsyncIterator[httpx2.AsyncClient]:
    """Open the HTTP client that carriers are called with: no proxies from the environment, no redirects."""
    limits = httpx2.Limits(max_connections=500, max_keepalive_connections=100, keepalive_expiry=_KEEP_ALIVE_S)
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=False, limits=limits) as client:
        yield client


def _routes(settings: Settings) -> Mapping[str, Any]:
    routes: Mapping[str, Any] = json.loads(settings.routes_file.read_text(encoding="utf-8"))
    return routes


def _sandbox_secret(settings: Settings) -> str:
    if settings.sandbox_secret is None:
        raise ValueError("COUNTERSIGN_SANDBOX_URL is set but COUNTERSIGN_SANDBOX_SECRET is not")
    return settings.sandbox_secret.get_secret_value()


def configuration_of(settings: Settings) -> dict[str, bytes]:
    """Return what a process starts with, to be recorded as hashes: settings without secrets, and the routes file."""
    told = settings.model_dump(mode="json", exclude=set(NOT_RECORDED))
    return {
        "settings": json.dumps(told, sort_keys=True).encode(),
        "routes": settings.routes_file.read_bytes(),
    }
