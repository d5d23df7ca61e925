"""A policy that is set, or taken back, has the pools judged at once."""

from domain.routing import RoutePolicyFacts
from rules.routing.catalog import SenderType
from runtime.setup import catalog
from services.route_policies import RoutePolicies
from store.engine import Database
from tests.building import FakeJudges, a_caller, settings


async def test_a_policy_that_changes_has_the_pools_judged_at_once(database: Database) -> None:
    caller, judges = await a_caller(database), FakeJudges()
    takes = {"GB": frozenset(SenderType)}
    policies = RoutePolicies(database=database, catalog=catalog(settings()), takes=takes, judges=judges)

    await policies.read(caller, "GB")
    asked = [judges.asked]
    await policies.put(caller, RoutePolicyFacts(country="GB", is_allowed=True, primary_pool="GB"))
    asked.append(judges.asked)
    await policies.take_back(caller, "GB")

    assert [*asked, judges.asked] == [0, 1, 2]
