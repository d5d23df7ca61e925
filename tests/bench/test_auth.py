"""The measurement of authentication: it tells apart what differs, and the work it measures is the same by structure."""

import random
from pathlib import Path

from sqlalchemy import event

from bench.auth.application import front
from bench.auth.comparing import compare


def test_times_that_differ_are_told_apart_and_equal_ones_are_not() -> None:
    rng = random.Random(7)
    equal = [[rng.gauss(400, 40) for _ in range(2_000)] for _ in range(2)]
    slower = [each + 20 for each in equal[1]]

    assert abs(compare(*equal).rank_z) < 2.6
    assert abs(compare(equal[0], slower).rank_z) > 5


async def test_an_unknown_id_and_a_wrong_secret_run_the_same_statements_and_give_the_same_answer(
    tmp_path: Path,
) -> None:
    async with front(tmp_path) as application:
        engine, ran = application.database.engine.sync_engine, list[str]()

        @event.listens_for(engine, "before_cursor_execute")
        def note(_: object, __: object, statement: str, *___: object) -> None:
            # What the process does beside requests, now and then, is none of theirs.
            if "api_key" in statement:
                ran.append(statement)

        runs = []
        for key in (application.unknown_key(), application.wrong_key()):
            ran.clear()
            runs.append((await application.get("/v1/limits", key=key), list(ran)))
        event.remove(engine, "before_cursor_execute", note)

    assert runs[0] == runs[1]
    assert (runs[0][0], len(runs[0][1])) == (401, 1)
