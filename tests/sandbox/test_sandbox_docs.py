"""The page about the sandbox tells all there is, and nothing else."""

import re
from pathlib import Path

from domain.sandbox import SandboxBehaviour
from sandbox.inventory import ACTIVE_AFTER_S, SLOW_AFTER_S
from sandbox.magic import MAGIC

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


def test_every_behaviour_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| (?:accepted|refused|throttled|none)", PAGE, re.MULTILINE)) == set(
        SandboxBehaviour,
    )


def test_every_magic_number_is_in_the_table() -> None:
    rows = re.findall(r"^\| (\d\d) \| ([^|]+) \| `(\w+)` \|", PAGE, re.MULTILINE)

    told = {digits: (frozenset(carriers.split(" and ")), behaviour) for digits, carriers, behaviour in rows}

    everyone = frozenset({"every carrier"})
    assert told == {digits: (row.carriers or everyone, row.behaviour) for digits, row in MAGIC.items()}


def test_what_becomes_of_an_order_for_a_number_is_as_told() -> None:
    told = dict(re.findall(r"^\| (\d|any other) \| (\w+)", PAGE, re.MULTILINE))

    assert told == {"8": "active", "9": "refused", "any other": "active"}
    assert (ACTIVE_AFTER_S, SLOW_AFTER_S) == (1, 60)
