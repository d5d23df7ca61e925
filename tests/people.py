"""Operators for tests: active without having enrolled, signed in without a code, or with an app to type one from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import pyotp
from sqlalchemy import bindparam, delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.authorisation import OPERATIONS
from domain.access import Role
from domain.facts import Caller
from domain.ids import account_id, new_id, operator_id, parse
from domain.operator_errors import ApprovalRequiredError
from domain.operators import SensitiveRequest
from domain.statuses import Environment
from rules.second_factor import STEP_S
from security.columns import Sealer
from security.operator_secrets import SESSION, OperatorHashes, new_token
from security.passwords import Passwords
from services.approvals import Approvals
from services.second_factor import totp_sealer
from store.engine import Database
from store.operator_sessions import insert_session
from store.operator_tables import Operator, OperatorSession, Tries
from store.tables import table_of
from store.times import now, now_plus
from tests.api.serving import Api, Server, opened
from tests.building import KEYS

ASKED = SensitiveRequest(operation="create_key", path="/v1/keys", body=b'{"name":"ci"}')
PASSWORD = "a horse that nobody rides"
_OPERATOR, _SESSION, _TRIES = table_of(Operator), table_of(OperatorSession), table_of(Tries)
_hashed: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An active operator, with the secret that is in their app."""

    id: UUID
    email: str
    role: Role
    secret: str = field(repr=False)

    @property
    def actor(self) -> str:
        """Return who they are in the trail."""
        return f"operator:{operator_id(self.id)}"

    def code(self, *, steps: int = 0) -> str:
        """Return what their app shows, now or some steps of 30 seconds away."""
        return pyotp.TOTP(self.secret).generate_otp(int(datetime.now(tz=UTC).timestamp()) // STEP_S + steps)

    def wrong_code(self) -> str:
        """Return six digits that no step nearby shows."""
        near = {self.code(steps=each) for each in range(-3, 4)}
        return next(each for each in ("000000", "111111", "222222", "333333", "444444", "555555") if each not in near)


async def an_operator(database: Database, *, role: Role = Role.OWNER, allowlist: str | None = None) -> Person:
    """Return a fresh active operator."""
    if not _hashed:
        _hashed[PASSWORD] = await Passwords().hash(PASSWORD)
    new, secret = new_id(), pyotp.random_base32()
    email = f"{new.hex}@example.com"
    values = {
        "id": new,
        "email_sealed": await Sealer(KEYS, table="operator", column="email").seal(email, account_id=None, row=new),
        "email_hash": KEYS.lookup_hash(email),
        "name": "Ada",
        "role": role.value,
        "status": "active",
        "password_hash": _hashed[PASSWORD],
        "totp_sealed": await totp_sealer(KEYS).seal(secret, account_id=None, row=new),
        "allowlist": allowlist,
    }
    async with database.transaction() as connection:
        await connection.execute(insert(_OPERATOR).values(**values, created_at=now(), enrolled_at=now()))
    return Person(id=new, email=email, role=role, secret=secret)


async def a_session(database: Database, person: Person, *, stepped_up: bool = True) -> str:
    """Return the token of a fresh session, with or without a second factor that is fresh enough."""
    token, new = new_token(SESSION), new_id()
    digest = OperatorHashes(KEYS).of_token(token, prefix=SESSION) or ""
    async with database.transaction() as connection:
        await insert_session(connection, new, operator_id=person.id, token_hash=digest, address_hash=None)
        if not stepped_up:
            await age_sessions(connection, person, stepped_up_at=-301)
    return token


async def age_sessions(connection: AsyncConnection, person: Person, **seconds: int) -> None:
    """Move moments of an operator's sessions: each column by so many seconds from now."""
    query = update(_SESSION).where(_SESSION.c.operator_id == bindparam("whose"))
    moved = {name: now_plus(each) for name, each in seconds.items()}
    await connection.execute(query.values(**moved), {"whose": person.id})


async def forget_tries(database: Database) -> None:
    """Let everything be tried anew."""
    async with database.transaction() as connection:
        await connection.execute(delete(_TRIES))


def acting_on(api: Api, environment: Environment | None = None) -> dict[str, str]:
    """Return the headers by which an operator acts on a test's account."""
    return {
        "Countersign-Account": account_id(api.caller.account_id),
        "Countersign-Environment": (environment or api.caller.environment).value,
    }


async def an_approval(database: Database, caller: Caller, request: SensitiveRequest = ASKED) -> UUID:
    """Return an approval that a machine waits for."""
    approvals = Approvals(database=database, keys=KEYS, operations=OPERATIONS)
    try:
        await approvals.ensure_approved(caller, request, approval=None)
    except ApprovalRequiredError as refusal:
        found = parse(str(refusal.fields["approval_id"]), prefix="apr")
        assert found is not None
        return found
    raise AssertionError("it was let through")


async def approved(server: Server, client: httpx2.AsyncClient, method: str, path: str, json: Any) -> httpx2.Response:
    """Send a request; where it needs an approval, have an operator give it, and send it again."""
    answer = await client.request(method, path, json=json)
    if answer.status_code != 403 or answer.json()["code"] != "approval-required":
        return answer
    approval = answer.json()["approval_id"]
    async with signed_in(server) as owner:
        assert (await owner.post(f"/v1/approvals/{approval}/approve")).status_code == 200
    return await client.request(method, path, json=json, headers={"Countersign-Approval": approval})


@asynccontextmanager
async def signed_in(
    server: Server, *, role: Role = Role.OWNER, stepped_up: bool = True, on: Api | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """Call a server as a fresh operator, on an account where one is given."""
    database = Database(server.database_url)
    person = await an_operator(database, role=role)
    token = await a_session(database, person, stepped_up=stepped_up)
    await database.close()
    headers = {"Authorization": f"Bearer {token}"} | ({} if on is None else acting_on(on))
    async with opened(server, headers=headers) as client:
        yield client
