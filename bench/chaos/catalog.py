"""All drills by the name of their fault, in the order in which they are run on one installation."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from bench.chaos.installation import Installation
from bench.chaos.silent_carrier import carrier_times_out, killed_before_commit
from bench.chaos.temporal_away import temporal_away, temporal_restarted
from bench.chaos.verdict import Plan, Verdict
from bench.chaos.worker_killed import worker_killed

Drill: TypeAlias = Callable[[Installation, Plan], Awaitable[Verdict]]

DRILLS: Mapping[str, Drill] = {
    "F1": worker_killed,
    "F2": killed_before_commit,
    "F3": temporal_restarted,
    "F4": temporal_away,
    "F9": carrier_times_out,
}
