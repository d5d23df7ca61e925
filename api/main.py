"""The composition root of an API process: settings in, application out (`python -m api.serve` serves it)."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx2
from fastapi import FastAPI

from api.app import create_app
from api.authorisation import OPERATIONS
from api.draining import Draining
from api.number_parts import NumberParts
from api.parts import Parts
from api.rates import RequestRates
from api.ways import Ways
from rules.addresses import proxies_of
from rules.protection.published import published_limits
from runtime.garbage import spare_the_program
from runtime.key_settings import key_encryption
from runtime.logs import configure_logs
from runtime.settings import Settings, read_settings, reference
from runtime.setup import (
    carrier_client,
    catalog,
    configuration_of,
    inventories,
    number_sealer,
    receipt_readers,
    sandbox_control,
    sender_types,
    target_policy,
    webhook_secrets,
)
from runtime.temporal import connect, payload_cipher
from security.audit_signing import AuditSigner
from security.key_encryption import BadKeyError, MissingKeyError, WrongKeyError
from security.keyring import KeyRing
from services.access_watch import AccessWatch
from services.accounts import Accounts
from services.api_keys import ApiKeys
from services.audit import Audit
from services.callers import Callers
from services.checks import Checks
from services.configuration import note_configuration
from services.country_pools import CountryPools
from services.events import Events
from services.fact_sources import Sources
from services.idempotency import Idempotency
from services.keys import DATABASE_PATIENCE_S, open_keys
from services.leaked_keys import LeakedKeys
from services.number_allowance import NumberAllowance
from services.number_leasing import NumberLeasing
from services.number_operations import NumberOperations
from services.number_search import NumberSearch
from services.number_workflows import NumberLeaseWorkflows
from services.numbers import Numbers
from services.oauth import oauth_of
from services.payload_decoding import PayloadDecoding
from services.people import People, people_of
from services.pool_judging import ScheduledJudges
from services.presenting import Presenter
from services.reading import Reading
from services.receipts import Receipts
from services.recommendations import Recommendations
from services.refusals import Refusals
from services.route_policies import RoutePolicies
from services.routing import Routing
from services.sandbox import Sandbox
from services.sends import Sends
from services.sightings import Sightings
from services.verifications import Verifications
from services.webhook_deliveries import WebhookDeliveries
from services.webhook_dispatchers import DispatcherWorkflows
from services.webhooks import Webhooks
from services.workflow_gateway import VerificationWorkflows, WorkflowGateway
from services.wrong_checks import WrongCheckBudget
from store.engine import Database
from store.route_book import RouteBook
from store.router import Router
from store.writability import Writability


def create() -> FastAPI:
    """Return the application for the environment's settings."""
    settings = read_settings()
    configure_logs(as_json=settings.log_json)
    return create_app(lambda: open_parts(settings), temporal_ui_origin=settings.temporal_ui_origin)


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """Open what an API process works with, and close it again."""
    database = Database(settings.database, pool_size=settings.database_pool)
    keys = await _open_keys(settings, database)
    await note_configuration(database, process="api", content=configuration_of(settings))
    client = await connect(settings, keys=keys)
    async with carrier_client() as http, aclosing(ScheduledJudges(client)) as judges:
        parts = parts_of(
            settings,
            keys=keys,
            database=database,
            ways=Ways(
                workflows=VerificationWorkflows(client),
                dispatchers=DispatcherWorkflows(client),
                keepers=NumberLeaseWorkflows(client),
                judges=judges,
            ),
            http=http,
        )
        parts.draining.on_signals()
        spare_the_program()
        yield parts
        await parts.close()
    await database.close()


async def _open_keys(settings: Settings, database: Database) -> KeyRing:
    """Return the instance's keys; what is wrong with them is said in a sentence of its own, before the server's trace.

    The logs would take a key's name in it for a code, and withhold it.
    """
    try:
        return await open_keys(database, key_encryption(settings), within_s=DATABASE_PATIENCE_S)
    except (BadKeyError, MissingKeyError, WrongKeyError) as error:
        sys.stderr.write(f"{error}\n")
        raise


def parts_of(
    settings: Settings,
    *,
    keys: KeyRing,
    database: Database,
    ways: Ways,
    http: httpx2.AsyncClient,
) -> Parts:
    """Return the use cases, wired."""
    watch, sightings, router = AccessWatch(database), Sightings(database=database, keys=keys), _router(settings)
    presenter, limits, draining = Presenter(number_sealer(keys)), settings.check_limits, Draining()
    reading, refusals = Reading(database=database, presenter=presenter), Refusals(database)
    oauth = oauth_of(database=database, keys=keys, issuer=settings.issuer, refusals=refusals, changed=watch.moved)
    idempotency = Idempotency(database, keys=keys)
    return Parts(
        callers=Callers(
            database=database, keys=keys, watch=watch, sightings=sightings, refusals=refusals, tokens=oauth.access
        ),
        oauth=oauth,
        watch=watch,
        sightings=sightings,
        proxies=proxies_of(settings.trusted_proxies),
        accounts=Accounts(database=database, changed=watch.moved),
        audit=Audit(database=database, signer=AuditSigner(keys.audit_seed)),
        api_keys=ApiKeys(database=database, keys=keys, changed=watch.moved),
        people=_people(settings, keys, database, refusals),
        leaked_keys=LeakedKeys(database=database, keys=keys, tokens=oauth.access, changed=watch.moved),
        verifications=Verifications(
            database=database,
            sends=_sends(settings, keys, router, refusals),
            presenter=presenter,
            reading=reading,
            workflows=ways.workflows,
            idempotency=idempotency,
            failures_cap=limits.failures_in_a_row,
        ),
        checks=_checks(settings, keys, database, presenter, ways.workflows, refusals),
        reading=reading,
        routing=Routing(database=database, router=router, keys=keys),
        payloads=_payloads(settings, keys, database),
        receipts=_receipts(settings, database, ways.workflows, refusals),
        sandbox=Sandbox(sandbox_control(settings, http), database=database, carriers=catalog(settings).carriers),
        events=Events(database=database, draining=draining.begun),
        webhooks=Webhooks(database=database, secrets=webhook_secrets(keys), policy=target_policy(settings)),
        webhook_deliveries=WebhookDeliveries(database=database, dispatchers=ways.dispatchers),
        numbers=_numbers(settings, database, http, ways, idempotency),
        draining=draining,
        rates=_rates(settings),
        limits=_published(settings),
        countries=reference("country_rules.json"),
        readiness={"database": Writability(database).ensure, "temporal": ways.workflows.ping},
        close=ways.workflows.drain,
    )


def _people(settings: Settings, keys: KeyRing, database: Database, refusals: Refusals) -> People:
    return people_of(
        database=database,
        keys=keys,
        refusals=refusals,
        operations=OPERATIONS,
        allowed=settings.operator_networks,
    )


def _router(settings: Settings) -> Router:
    return Router(RouteBook(catalog=catalog(settings), takes=sender_types()))


def _sends(settings: Settings, keys: KeyRing, router: Router, refusals: Refusals) -> Sends:
    return Sends(keys=keys, numbers=number_sealer(keys), router=router, limits=settings.check_limits, refusals=refusals)


def _published(settings: Settings) -> Mapping[str, Any]:
    return published_limits(
        settings.check_limits,
        requests_per_s=settings.api_rate,
        wrong_checks_per_hour=settings.wrong_checks_per_hour,
        wrong_checks_per_hour_instance=settings.wrong_checks_per_hour_instance,
    )


def _rates(settings: Settings) -> RequestRates:
    return RequestRates(
        default_per_s=settings.api_rate,
        failures_per_min=settings.failed_authentications_per_min,
        redis_url=settings.redis_url,
    )


def _numbers(
    settings: Settings,
    database: Database,
    http: httpx2.AsyncClient,
    ways: Ways,
    idempotency: Idempotency,
) -> NumberParts:
    takes, routes = sender_types(), catalog(settings)
    allowance = NumberAllowance(quota=settings.numbers_per_account, takes=takes)
    return NumberParts(
        search=NumberSearch(
            database=database,
            inventories=inventories(settings, http),
            regions={route.carrier: route.region for route in routes.routes},
            allowance=allowance,
        ),
        leasing=NumberLeasing(database=database, allowance=allowance, idempotency=idempotency, keepers=ways.keepers),
        operations=NumberOperations(database=database, allowance=allowance, keepers=ways.keepers, judges=ways.judges),
        held=Numbers(database=database),
        pools=CountryPools(database=database),
        policies=RoutePolicies(database=database, catalog=routes, takes=takes, judges=ways.judges),
        recommendations=Recommendations(
            database=database, catalog=routes, takes=takes, sources=Sources(reference("country_rules.json"))
        ),
    )


def _checks(
    settings: Settings,
    keys: KeyRing,
    database: Database,
    presenter: Presenter,
    workflows: WorkflowGateway,
    refusals: Refusals,
) -> Checks:
    return Checks(
        database=database,
        keys=keys,
        presenter=presenter,
        workflows=workflows,
        budget=_wrong_checks(settings, database, refusals),
        failures_cap=settings.check_limits.failures_in_a_row,
    )


def _wrong_checks(settings: Settings, database: Database, refusals: Refusals) -> WrongCheckBudget:
    return WrongCheckBudget(
        database,
        per_account=settings.wrong_checks_per_hour,
        per_instance=settings.wrong_checks_per_hour_instance,
        refusals=refusals,
    )


def _receipts(settings: Settings, database: Database, workflows: WorkflowGateway, refusals: Refusals) -> Receipts:
    readers = receipt_readers(settings)
    return Receipts(database=database, readers=readers, workflows=workflows, refusals=refusals)


def _payloads(settings: Settings, keys: KeyRing, database: Database) -> PayloadDecoding:
    cipher = payload_cipher(settings, keys)
    return PayloadDecoding(database=database, cipher=cipher, namespace=settings.temporal_namespace)
