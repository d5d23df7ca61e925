"""All drills by the name of their fault, in the order in which they are run on one installation."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from bench.chaos.clocks import clocks_wrong
from bench.chaos.database_gone import database_gone
from bench.chaos.edge import hostile_requests, stalled_sockets
from bench.chaos.guesses import guesses_at_once, resend_loop
from bench.chaos.installation import Installation
from bench.chaos.keys_exchanged import keys_exchanged
from bench.chaos.many_writers import many_writers
from bench.chaos.number_tricks import number_tricks
from bench.chaos.orphans import orphaned_rows
from bench.chaos.recorders_killed import recorders_killed
from bench.chaos.repeats import repeated_posts
from bench.chaos.rotation_killed import rotation_killed
from bench.chaos.silent_carrier import carrier_times_out, killed_before_commit
from bench.chaos.temporal_away import temporal_away, temporal_restarted
from bench.chaos.verdict import Plan, Verdict
from bench.chaos.webhooks_late import webhooks_late
from bench.chaos.worker_killed import worker_killed

Drill: TypeAlias = Callable[[Installation, Plan], Awaitable[Verdict]]

DRILLS: Mapping[str, Drill] = {
    "F1": worker_killed,
    "F2": killed_before_commit,
    "F3": temporal_restarted,
    "F4": temporal_away,
    "F5": database_gone,
    "F6": many_writers,
    "F9": carrier_times_out,
    "F13": clocks_wrong,
    "F14": guesses_at_once,
    "F15": resend_loop,
    "F16": repeated_posts,
    "F17": webhooks_late,
    "F20": stalled_sockets,
    "F21": hostile_requests,
    "F22": number_tricks,
    "F26": keys_exchanged,
    "F28A": recorders_killed,
    "F28K": rotation_killed,
    "ORPHAN": orphaned_rows,
}
