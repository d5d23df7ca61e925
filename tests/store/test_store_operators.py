"""Second factors and approvals under many processes at once, on both databases."""

from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, update

from domain.access import EVERY_SCOPE, Role
from domain.facts import NO_ACCOUNT, Caller
from domain.ids import new_id
from domain.operator_errors import ApprovalDecidedError, ApprovalRequiredError, CodesThrottledError, SelfApprovalError
from domain.operators import ApprovalStatus
from domain.statuses import Environment
from rules.second_factor import WRONG_CODES
from security.operator_secrets import OperatorHashes, new_recovery_codes
from services.oauth_clients import ClientRequest, OAuthClients
from store import tries
from store.approvals import forget_old
from store.engine import Database
from store.operator_tables import Approval, RecoveryCode, Tries
from store.tables import table_of
from store.times import mark_plus, now_plus
from tests.building import KEYS, a_caller, a_key
from tests.people import ASKED, Person, an_approval, an_operator, forget_tries
from tests.store.crowd import Crowd
from tests.store.operator_tasks import (
    approvals_of,
    ask_ten_times,
    outcome,
    prove,
    prove_25_times,
    use_25_times,
)

APPROVAL, TRIES = table_of(Approval), table_of(Tries)


def person_calls(person: Person) -> Caller:
    """Return an operator as a caller who acts on no account."""
    return Caller(
        account_id=NO_ACCOUNT,
        account_name="",
        environment=Environment.PRODUCTION,
        key_id="ses_0",
        actor=person.actor,
        role=person.role,
        operator_id=person.id,
    )


async def a_machine(database: Database, **key: object) -> Caller:
    """Return a production caller that needs approvals."""
    caller = replace(await a_caller(database), environment=Environment.PRODUCTION)
    _, machine = await a_key(
        database,
        of=caller,
        environment=Environment.PRODUCTION,
        scopes=EVERY_SCOPE,
        **key,  # type: ignore[arg-type]
    )
    return machine


async def test_a_code_works_once_however_often_it_is_sent_at_once(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    person = await an_operator(database)

    answers = crowd.run(prove_25_times, url=database_url, argument=(person.id, person.code()))

    total = sum(answers, Counter[str]())
    assert total["done"] == 1
    assert total == {"done": 1, "code-refused": total["code-refused"], "codes-throttled": total["codes-throttled"]}
    assert total.total() == 100


async def test_of_a_hundred_wrong_codes_at_once_five_are_compared_and_then_not_even_the_right_one(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    person = await an_operator(database)

    answers = crowd.run(prove_25_times, url=database_url, argument=(person.id, person.wrong_code()))

    assert sum(answers, Counter[str]()) == {"code-refused": WRONG_CODES, "codes-throttled": 95}
    with pytest.raises(CodesThrottledError) as refused:
        await prove(database, person.id, person.code())
    assert 290 <= (refused.value.retry_after_s or 0) <= 300
    await forget_tries(database)
    assert await outcome(lambda: prove(database, person.id, person.code())) == "done"


async def test_an_older_step_is_refused_after_a_newer_one_and_a_newer_one_after_an_older_works(
    database: Database,
) -> None:
    person = await an_operator(database)
    codes = [person.code(steps=step) for step in (0, -1, 0, 1)]

    answers = [await outcome(lambda code=code: prove(database, person.id, code)) for code in codes]  # type: ignore[misc]

    assert answers == ["done", "code-refused", "code-refused", "done"]


async def test_a_step_further_away_than_one_is_refused(database: Database) -> None:
    person = await an_operator(database)

    assert await outcome(lambda: prove(database, person.id, person.code(steps=-3))) == "code-refused"
    assert await outcome(lambda: prove(database, person.id, person.code(steps=3))) == "code-refused"


async def test_right_codes_are_not_counted_against_anybody(database: Database) -> None:
    subject = f"code/{new_id().hex}"
    for _ in range(20):
        async with database.transaction() as connection:
            tried = await tries.take(connection, subject)
            assert tried is not None
            await tries.give_back(connection, subject, tried)

    assert [await _take(database, subject) for _ in range(6)] == [True] * 5 + [False]


async def test_five_wrong_ones_are_counted_within_any_five_minutes(database: Database) -> None:
    subject = f"code/{new_id().hex}"
    for _ in range(5):
        await _take(database, subject)
    async with database.transaction() as connection:
        # The oldest of the five is made to be just over five minutes ago, the others stay.
        aged = func.substr(TRIES.c.recent, 1, 84).concat(mark_plus(-301)).concat("00000000")
        await connection.execute(update(TRIES).where(TRIES.c.subject == subject).values(recent=aged))

    assert [await _take(database, subject) for _ in range(2)] == [True, False]


async def test_a_recovery_code_works_once_however_often_it_is_sent_at_once(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    person, (code, other, *_) = await an_operator(database), new_recovery_codes()
    hashes = [OperatorHashes(KEYS).of_recovery_code(each) for each in (code, other)]
    async with database.transaction() as connection:
        rows = [{"operator_id": person.id, "code_hash": each} for each in hashes]
        await connection.execute(table_of(RecoveryCode).insert(), rows)

    answers = sum(crowd.run(prove_25_times, url=database_url, argument=(person.id, code)), Counter[str]())

    assert answers["done"] == 1
    await forget_tries(database)
    assert await outcome(lambda: prove(database, person.id, other)) == "done"


async def test_however_often_a_request_is_sent_at_once_one_approval_is_pending(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    machine = await a_machine(database)

    answers = crowd.run(ask_ten_times, url=database_url, argument=machine)

    assert len(set().union(*answers)) == 1


async def test_an_approval_is_used_once_however_often_it_is_sent_at_once(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    machine, person = await a_machine(database), await an_operator(database)
    approval = await an_approval(database, machine)
    await approvals_of(database).decide(person_calls(person), approval, is_approved=True)

    answers = crowd.run(use_25_times, url=database_url, argument=(machine, approval))

    assert sum(answers, Counter[str]()) == {"done": 1, "approval-refused": 99}


async def test_whoever_made_the_key_or_the_key_that_made_it_cannot_approve(database: Database) -> None:
    person, other = await an_operator(database), await an_operator(database)
    first = await a_machine(database, made_by=person.actor)
    second = await a_machine(database, made_by=first.actor)

    for machine in (first, second):
        approval = await an_approval(database, machine)
        with pytest.raises(SelfApprovalError):
            await approvals_of(database).decide(person_calls(person), approval, is_approved=True)
        with pytest.raises(SelfApprovalError):
            await approvals_of(database).decide(person_calls(person), approval, is_approved=False)
        await approvals_of(database).decide(person_calls(other), approval, is_approved=True)


async def a_client_of(database: Database, maker: Caller) -> Caller:
    """Return who calls with a token of a client that somebody made, for the same account."""
    request = ClientRequest(environment=Environment.PRODUCTION, scopes=EVERY_SCOPE)
    clients = OAuthClients(database=database, keys=KEYS)
    facts = (await clients.make(maker.account_id, request, actor=maker.actor)).facts
    return replace(
        maker,
        key_id=facts.client_id,
        actor=f"client:{facts.client_id}",
        scopes=EVERY_SCOPE,
        role=None,
        operator_id=None,
    )


async def test_whoever_made_the_client_or_what_it_came_from_cannot_approve(database: Database) -> None:
    person, other = await an_operator(database), await an_operator(database)
    key = await a_machine(database, made_by=person.actor)
    of_key = await a_client_of(database, key)
    of_client = await a_client_of(database, of_key)
    key_of_client = await a_machine(database, made_by=of_client.actor)

    for machine in (of_key, of_client, key_of_client):
        approval = await an_approval(database, machine)
        with pytest.raises(SelfApprovalError):
            await approvals_of(database).decide(person_calls(person), approval, is_approved=True)
        await approvals_of(database).decide(person_calls(other), approval, is_approved=True)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.COMPLIANCE])
async def test_nobody_approves_what_they_may_not_do(database: Database, role: Role) -> None:
    approval = await an_approval(database, await a_machine(database))
    person = await an_operator(database, role=role)

    assert (
        await outcome(lambda: approvals_of(database).decide(person_calls(person), approval, is_approved=True))
        == "insufficient-scope"
    )


async def test_what_nobody_decided_in_a_day_or_used_in_an_hour_is_over(database: Database) -> None:
    machine, person = await a_machine(database), await an_operator(database)
    late = await an_approval(database, machine)
    await _end(database, late)
    with pytest.raises(ApprovalDecidedError):
        await approvals_of(database).decide(person_calls(person), late, is_approved=True)

    fresh = await an_approval(database, machine)
    await approvals_of(database).decide(person_calls(person), fresh, is_approved=True)
    await _end(database, fresh)
    answer = await outcome(lambda: approvals_of(database).ensure_approved(machine, ASKED, approval=f"apr_{fresh.hex}"))

    assert fresh != late
    assert answer == "approval-refused"
    assert await _status(database, machine, fresh) is ApprovalStatus.EXPIRED


async def test_the_body_of_a_request_is_kept_for_its_decision_only(database: Database) -> None:
    machine, person = await a_machine(database), await an_operator(database)
    approval = await an_approval(database, machine)

    before = await approvals_of(database).read(person_calls(person), approval)
    for_machine = await approvals_of(database).read(machine, approval)
    await approvals_of(database).decide(person_calls(person), approval, is_approved=False)
    async with database.transaction() as connection:
        await forget_old(connection)
    after = await approvals_of(database).read(person_calls(person), approval)

    assert before.body == ASKED.body.decode()
    assert before.facts.body_sealed is not None
    assert before.body not in before.facts.body_sealed
    assert for_machine.body is None
    assert after.body is None


async def test_a_machine_that_waits_for_fifty_approvals_is_not_given_another(database: Database) -> None:
    machine = await a_machine(database)
    for at in range(50):
        with pytest.raises(ApprovalRequiredError):
            await approvals_of(database).ensure_approved(machine, replace(ASKED, body=b"%d" % at), approval=None)

    answer = await outcome(
        lambda: approvals_of(database).ensure_approved(machine, replace(ASKED, body=b"more"), approval=None)
    )

    assert answer == "rate-limited"


async def _take(database: Database, subject: str) -> bool:
    async with database.transaction() as connection:
        return await tries.take(connection, subject) is not None


async def _end(database: Database, approval: UUID) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(APPROVAL).where(APPROVAL.c.id == approval).values(expires_at=now_plus(-1)))


async def _status(database: Database, machine: Caller, approval: UUID) -> ApprovalStatus:
    return (await approvals_of(database).read(machine, approval)).facts.status
