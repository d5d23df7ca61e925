"""The order in which files of tests are handed out: the longest first, so that none begins when the others are done.

Only the time of a whole run hangs on it. What is not named keeps its place behind what is.
"""

from collections.abc import Sequence
from pathlib import PurePath

import pytest

# In seconds, of a run of the whole on two cores; read them anew from `make test ARGS="... --junitxml=…"` now and then.
LONGEST = {
    "chaos/test_drills.py": 180,
    "canary/test_canaries.py": 60,
    "e2e/test_by_itself.py": 70,
    "e2e/test_make_run.py": 50,
    "bench/test_outage_of_the_product.py": 40,
    "api/test_api_connections.py": 45,
    "bench/test_load.py": 30,
    "activities/test_dispatch_activity.py": 25,
    "store/test_audit_mutations.py": 25,
    "api/test_checks_properties.py": 20,
    "api/test_api_fuzz.py": 20,
    "workflows/test_encryption.py": 20,
    "services/test_keys.py": 15,
    "api/test_api_two_processes.py": 25,
    "api/test_api_tls.py": 12,
    "e2e/test_temporal_ui.py": 12,
}


def longest_first(items: Sequence[pytest.Item], root: PurePath) -> list[pytest.Item]:
    """Return tests so that files which take long come first; within a file they stay as they are."""
    tests = root / "tests"
    return sorted(items, key=lambda item: -LONGEST.get(item.path.relative_to(tests).as_posix(), 0))
