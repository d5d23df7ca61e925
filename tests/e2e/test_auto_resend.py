"""A message whose code nobody types, on `make run`: by the account's policy another follows, and its code counts."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.tree import PATIENCE_S, Tree, check, code_for, completed, eventually, start

pytestmark = pytest.mark.xdist_group("e2e")
TO = "+447700900711"
POLICY = {
    "primary_pool": "GB",
    "backup_pools": ["US"],
    "mode": "ordered",
    "max_carriers": 3,
    "verify_wait_s": 20,
    "auto_resend": True,
}


@pytest.fixture
def tree(tmp_path: Any) -> Iterator[Tree]:
    # What an account wants is believed for a second, and the demonstration has just asked.
    made = Tree(home=tmp_path / "home")
    try:
        yield made.start(COUNTERSIGN_DEMO="0")
    finally:
        made.close()


async def test_another_message_follows_by_itself_when_the_number_may_have_one(tree: Tree) -> None:
    with tree.client() as client:
        assert client.put("/v1/routes/policies/GB", json=POLICY).status_code == 200
        started = start(client, TO)
        path = f"/v1/verifications/{started['id']}"
        first = code_for(client, TO)

        def seen() -> dict[str, Any] | None:
            told: dict[str, Any] = client.get(path).json()
            return told if len(told["attempts"]) > 1 and told["attempts"][1]["answered_at"] else None

        resent = eventually(seen, within_s=PATIENCE_S, what="another message")
        second = code_for(client, TO)
        outcome = check(client, started["id"], second)

    assert resent is not None
    attempts = resent["attempts"]
    assert [each["send"] for each in attempts] == [1, 1]
    assert attempts[1]["reason"].startswith("no code of alpha's message came back in time")
    assert attempts[1]["carrier"] != attempts[0]["carrier"]
    # The number's first gap is longer than the wait.
    assert attempts[1]["planned_at"] >= started["next_send_at"]
    assert resent["sends_left"] == started["sends_left"] - 1
    assert first != second
    assert [each["proved"] for each in outcome["verification"]["attempts"]] == [False, True]
    await completed(await tree.temporal(), started["id"])
