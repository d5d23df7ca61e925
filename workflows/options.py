"""Time-outs and retry policies, one constant per kind of activity, each with its reason."""

from datetime import timedelta

from temporalio.common import RetryPolicy

# A region whose workers do not take a message in this time is a reason to fail over, not to wait.
SCHEDULE_TO_START = timedelta(seconds=3)

# A carrier may take three seconds to answer; the database work around it is short. A worker that died is noticed after
# this time, and the activity's next try marks the attempt `unknown` without calling the carrier.
SUBMIT = timedelta(seconds=8)
SUBMIT_RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=5))

# Planning needs the database alone, and is what stands between a refusal and the next route: tried again quickly.
PLAN = timedelta(seconds=10)
PLAN_RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_interval=timedelta(seconds=5))

# The last word is spoken once and must be: it is tried until the database is back.
CONCLUDE = timedelta(seconds=10)
CONCLUDE_RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))

# A batch stops giving out posts long before this, and a post takes 15 s at most. A worker that dies stops saying that
# it lives, and its batch is given to another one.
DISPATCH = timedelta(seconds=90)
DISPATCH_HEARTBEAT = timedelta(seconds=6)
DISPATCH_RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))

# A number's carrier may take three seconds; the database work around it is short. Nothing about a number is urgent, and
# all of it must be done: it is tried until the database is back.
TEND = timedelta(seconds=15)
TEND_RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))

# Upkeep comes again by its schedule; one run need not be stubborn.
UPKEEP = timedelta(seconds=50)
UPKEEP_RETRIES = RetryPolicy(maximum_attempts=2)

# The health of pools, likewise.
POOL_HEALTH = timedelta(seconds=30)
POOL_HEALTH_RETRIES = RetryPolicy(maximum_attempts=2)
