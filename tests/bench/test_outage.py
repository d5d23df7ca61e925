"""The silent outage, simulated: the product's rules go round it and come back, and simpler ones do not."""

import subprocess
import sys

from bench.outage.figures import STRATEGIES, measure, oracle
from bench.outage.world import Drill, run
from bench.route_choice import CANDIDATES, TARGET_P99_MS, candidates
from runtime.settings import ROOT

SHORT = Drill(before=1_500)
SEEDS = range(6)


def test_in_a_silent_outage_the_product_loses_little_comes_back_and_does_not_overpay() -> None:
    figures = measure(STRATEGIES["product, adaptive"], SHORT, seeds=SEEDS)

    assert 0.75 <= figures.outage <= oracle(SHORT)
    assert figures.back >= 0.7
    assert figures.cost <= 1.2


def test_a_fixed_order_loses_what_the_route_loses() -> None:
    figures = measure(STRATEGIES["static order"], SHORT, seeds=SEEDS)

    assert abs(figures.outage - SHORT.dropped) < 0.03


def test_the_same_seed_tells_the_same_story() -> None:
    one, again = (measure(STRATEGIES["product, adaptive"], Drill(before=200, during=200), seeds=[3]) for _ in range(2))

    assert one == again


class Listener:
    """Sends everything on one route, and notes when it is told what."""

    def __init__(self) -> None:
        self.now_s, self.heard = 0.0, list[tuple[bool, float]]()

    def pick(self, *, now_s: float) -> str:
        self.now_s = now_s
        return "b"

    def learn(self, route: str, *, is_proved: bool, sent_s: float) -> None:
        assert route == "b"
        self.heard.append((is_proved, round(self.now_s - sent_s)))


def test_a_proof_is_known_when_the_code_is_typed_and_its_absence_late() -> None:
    listener = Listener()

    run(listener, Drill(before=600, during=0, after=0, proved_s=12), seed=1)

    assert set(listener.heard) == {(True, 12), (False, 40)}


def test_the_table_has_a_row_for_every_strategy() -> None:
    command = [sys.executable, "-m", "bench.outage", "--seeds", "1", "--before", "100"]

    ended = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=100)

    assert ended.returncode == 0, ended.stderr
    assert all(f"\n{name} " in ended.stdout for name in STRATEGIES)


def test_the_choice_that_is_measured_is_among_as_many_routes_as_promised() -> None:
    assert len(candidates(CANDIDATES)) == 500
    assert TARGET_P99_MS == 5
