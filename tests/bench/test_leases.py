"""Workers killed while leases rotate, short: nothing leaves under a fence that is over, or faster than it may."""

from pathlib import Path

from bench.leases.drill import drill


async def test_while_workers_are_killed_and_leases_rotate_nothing_stale_leaves(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'leases.db'}"

    report = await drill(url, messages=40, parts_per_s=20.0, kill_every_s=2.0, within_s=60)

    assert report.is_kept
    assert report.sends >= 40
    assert report.rotated > 0
