"""What the HTTP edge is given to work with: the use cases, and what says whether the instance is ready."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.draining import Draining
from api.number_parts import NumberParts
from api.rates import RequestRates
from rules.addresses import Network
from services.access_watch import AccessWatch
from services.accounts import Accounts
from services.api_keys import ApiKeys
from services.audit import Audit
from services.callers import Callers
from services.checks import Checks
from services.events import Events
from services.leaked_keys import LeakedKeys
from services.oauth import OAuth
from services.payload_decoding import PayloadDecoding
from services.people import People
from services.reading import Reading
from services.receipts import Receipts
from services.routing import Routing
from services.sandbox import Sandbox
from services.sightings import Sightings
from services.verifications import Verifications
from services.webhook_deliveries import WebhookDeliveries
from services.webhooks import Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The use cases of an API process.

    `readiness` names each part the instance needs with a call that raises when it is not ready.
    """

    callers: Callers
    watch: AccessWatch
    sightings: Sightings
    proxies: Sequence[Network]
    accounts: Accounts
    people: People
    api_keys: ApiKeys
    audit: Audit
    leaked_keys: LeakedKeys
    oauth: OAuth
    verifications: Verifications
    checks: Checks
    reading: Reading
    routing: Routing
    payloads: PayloadDecoding
    receipts: Receipts
    sandbox: Sandbox
    events: Events
    webhooks: Webhooks
    webhook_deliveries: WebhookDeliveries
    numbers: NumberParts
    draining: Draining
    rates: RequestRates
    limits: Mapping[str, Any]
    countries: Mapping[str, Any]
    readiness: Mapping[str, Callable[[], Awaitable[object]]]
    close: Callable[[], Awaitable[None]]
