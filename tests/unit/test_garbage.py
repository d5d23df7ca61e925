"""What a process is made of is walked by no collection once it serves; what is made later is collected as ever."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from runtime.garbage import spare_the_program


class _Ring:
    """Refers to itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the collector to the other tests as it was found."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_collections_walk_nothing_that_was_there_when_the_process_was_ready() -> None:
    there = _Ring()
    assert any(each is there for each in gc.get_objects())

    spare_the_program()

    assert gc.get_freeze_count() > 0
    assert not any(each is there for each in gc.get_objects())


def test_what_came_later_and_is_in_a_ring_is_still_freed() -> None:
    spare_the_program()
    ring = _Ring()
    gone = weakref.ref(ring)

    del ring
    gc.collect()

    assert gone() is None


def test_garbage_from_before_the_process_was_ready_is_not_kept() -> None:
    ring = _Ring()
    gone = weakref.ref(ring)

    del ring
    spare_the_program()

    assert gone() is None
