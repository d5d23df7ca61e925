"""The use cases of numbers, pools and routes, which the HTTP edge is given together."""

from dataclasses import dataclass

from services.country_pools import CountryPools
from services.number_leasing import NumberLeasing
from services.number_operations import NumberOperations
from services.number_search import NumberSearch
from services.numbers import Numbers
from services.recommendations import Recommendations
from services.route_policies import RoutePolicies


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberParts:
    """What accounts and operators do with sender numbers, and with the way that messages take."""

    search: NumberSearch
    leasing: NumberLeasing
    operations: NumberOperations
    held: Numbers
    pools: CountryPools
    policies: RoutePolicies
    recommendations: Recommendations
