"""The people of an instance as a whole: there is always one who can administer the others."""

import pyotp
import pytest
from sqlalchemy import select

from domain.access import Role
from domain.errors import DomainError
from domain.operator_errors import LastOwnerError
from domain.operators import OperatorChanges
from security.key_encryption import KeyEncryptions, LocalKey
from services.key_rotation import KeyRotations
from services.keys import open_keys
from services.operators import Operators
from services.people import people_of
from services.refusals import Refusals
from store.engine import Database
from store.operator_tables import Operator
from store.tables import table_of
from tests.building import KEYS
from tests.keys import a_master_key
from tests.people import PASSWORD, an_operator
from tests.store.crowd import Crowd
from tests.store.operator_tasks import disable_one

OPERATOR = table_of(Operator)


async def count_active(database: Database) -> int:
    """Return how many operators can sign in."""
    async with database.reading() as connection:
        return len((await connection.execute(select(OPERATOR.c.id).where(OPERATOR.c.status == "active"))).all())


async def test_owners_who_disable_one_another_at_once_leave_one(
    own_database: Database, own_url: str, crowd: Crowd
) -> None:
    owners = [(await an_operator(own_database)).id for _ in range(2)]

    answers = crowd.run(disable_one, url=own_url, argument=owners)

    assert set(answers) <= {"done", "last-owner"}
    assert await count_active(own_database) >= 1
    for owner in owners:
        await disable_one(own_database, [owner])
    assert await count_active(own_database) == 1


async def test_the_only_owner_can_be_neither_disabled_demoted_nor_reset(own_database: Database) -> None:
    operators, owner = Operators(database=own_database, keys=KEYS), await an_operator(own_database)
    await an_operator(own_database, role=Role.COMPLIANCE)

    with pytest.raises(LastOwnerError):
        await operators.change(owner.id, OperatorChanges(role=Role.VIEWER), actor="system")
    with pytest.raises(LastOwnerError):
        await operators.reset_factor(owner.id, actor="system")
    await operators.change(owner.id, OperatorChanges(name="Grace"), actor="system")

    assert (await operators.read(owner.id)).facts.role is Role.OWNER


async def test_an_address_can_be_invited_once_however_it_is_written(own_database: Database) -> None:
    operators = Operators(database=own_database, keys=KEYS)
    await operators.invite(email="Ada@Example.com", name="Ada", role=Role.OWNER, actor="system")

    with pytest.raises(DomainError, match="There is an operator"):
        await operators.invite(email=" ada@example.COM ", name="Ada", role=Role.VIEWER, actor="system")

    assert [each.email for each in await operators.list()] == ["ada@example.com"]


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@example.com", "ada@example", "ada@exämple.com", "a b@example.com"]
)
async def test_what_is_no_address_is_not_invited(own_database: Database, email: str) -> None:
    with pytest.raises(DomainError, match="email: an address"):
        await Operators(database=own_database, keys=KEYS).invite(email=email, name="A", role=Role.OWNER, actor="system")


async def test_addresses_and_apps_survive_a_rotation_of_the_keys(own_database: Database) -> None:
    kek = KeyEncryptions(LocalKey(a_master_key()))
    keys = await open_keys(own_database, kek)
    people = people_of(database=own_database, keys=keys, refusals=Refusals(own_database), operations={})
    invited = [
        await people.operators.invite(email=f"{name}@example.com", name=name, role=Role.OWNER, actor="system")
        for name in ("ada", "grace")
    ]
    enrolment = await people.enrolments.accept(invited[0].token, password=PASSWORD)

    await KeyRotations(database=own_database, kek=kek, tell=lambda *_: None, settle_s=0).rotate()

    rotated = await open_keys(own_database, kek)
    people = people_of(database=own_database, keys=rotated, refusals=Refusals(own_database), operations={})
    app = pyotp.parse_uri(enrolment.uri)
    assert isinstance(app, pyotp.TOTP)
    assert [each.email for each in await people.operators.list()] == ["ada@example.com", "grace@example.com"]
    assert len(await people.enrolments.enrol(invited[0].token, code=app.now())) == 10
