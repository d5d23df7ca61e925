"""A stolen database says nothing: no code, no full number, no API key, in whatever spelling."""

import base64
import re

from sqlalchemy import select
from sqlmodel import SQLModel

from domain.facts import Caller
from services.idempotency import Repeatable
from services.sends import StartRequest
from services.verifications import Done
from store.engine import Database
from tests.building import a_key, code_of, pass_time, use_cases, wrong_codes

# Eight digits, so that none of them stands in a dump by chance.
LENGTH = 8
PHONES = [f"+4479113{at:05d}" for at in range(20)]
CANARY = "canary-in-a-dump"


async def dump(database: Database) -> str:
    """Return every value of every row."""
    rows: list[str] = []
    async with database.reading() as connection:
        for table in SQLModel.metadata.sorted_tables:
            rows += [repr(tuple(row)) for row in await connection.execute(select(table))]
    return "\n".join(rows)


async def live_through_it(database: Database, caller: Caller) -> set[str]:
    """Start, resend, guess wrong, approve, cancel, under Idempotency-Keys; return every code that was sent or typed."""
    parts, codes = use_cases(database), set[str]()
    for at, phone in enumerate(PHONES):
        request = StartRequest(to=phone, code_length=LENGTH, client_ip="203.0.113.9", reference=CANARY)
        repeatable = Repeatable(key=f"key-{at}", fingerprint="print", render=lambda view: view.to)
        done = await parts.verifications.start(caller, request, repeatable=repeatable)
        assert isinstance(done, Done)
        verification = done.view.facts.id
        codes |= {code_of(verification, counter=counter, length=LENGTH) for counter in range(3)}
        await parts.checks.check(caller, verification, wrong := wrong_codes(verification, length=LENGTH)[150])
        codes.add(wrong)
        if at % 3 == 0:
            await pass_time(database, caller, seconds=40)
            await parts.verifications.resend(caller, verification)
        if at % 3 == 1:
            await parts.checks.check(caller, verification, code_of(verification, length=LENGTH))
        if at % 3 == 2:
            await parts.verifications.cancel(caller, verification)
    return codes


def spellings(secret: str) -> set[str]:
    data = secret.encode()
    return {secret, data.hex(), base64.b64encode(data).decode().rstrip("="), base64.urlsafe_b64encode(data).decode()}


async def test_a_dump_holds_no_code_no_number_and_no_key(database: Database) -> None:
    key, caller = await a_key(database)
    codes = await live_through_it(database, caller)

    dumped = await dump(database)

    assert CANARY in dumped
    assert [phone for phone in PHONES for each in spellings(phone) | spellings(phone[1:]) if each in dumped] == []
    assert [code for code in codes for each in spellings(code) if re.search(rf"(?<!\w){each}(?!\w)", dumped)] == []
    assert [each for each in spellings(key) | spellings(key[8:]) | {key[16:48]} if each in dumped] == []
    assert "203.0.113.9" not in dumped
