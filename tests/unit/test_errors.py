"""The tree of refusals printed at the top of a file is the one below it."""

import inspect
import re
from types import ModuleType

import pytest

from domain import errors, number_errors, operator_errors, request_errors
from domain.errors import DomainError, TooSoonError
from domain.ids import attempt_id, new_id, parse, verification_id

KINDS = DomainError.__subclasses__()


FILES = (errors, request_errors, operator_errors, number_errors)


@pytest.mark.parametrize("file", FILES)
def test_the_printed_tree_is_the_classes_in_their_order(file: ModuleType) -> None:
    printed = re.findall(r"^[├└]── (\w+) +(\d{3})  ([a-z-]+)$", file.__doc__ or "", re.MULTILINE)

    own = [kind for kind in KINDS if kind.__module__ == file.__name__]
    assert printed == [(kind.__name__, str(kind.status), kind.code) for kind in own]
    assert sorted(printed, key=lambda each: each[1]) == printed


def test_codes_are_unique_and_kebab_case() -> None:
    codes = [kind.code for kind in KINDS]

    assert len(set(codes)) == len(codes)
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code)] == []


def test_every_kind_has_a_title_and_a_status_of_a_refusal() -> None:
    assert [kind for kind in KINDS if not 400 <= kind.status < 600] == []
    assert len({kind.title for kind in KINDS}) == len(KINDS)


def test_every_class_of_the_files_is_in_a_tree() -> None:
    defined = [
        each
        for file in FILES
        for _, each in inspect.getmembers(file, inspect.isclass)
        if each.__module__ == file.__name__
    ]

    assert set(defined) == {DomainError, *KINDS}


@pytest.mark.parametrize(("given", "told"), [(None, None), (0, 1), (0.2, 1), (-5, 1), (1.0, 1), (29.01, 30)])
def test_the_seconds_to_wait_are_rounded_up_and_never_none_of_them(given: float | None, told: int | None) -> None:
    assert TooSoonError("later", retry_after_s=given).retry_after_s == told


def test_public_ids_come_back_and_name_what_they_are_of() -> None:
    row = new_id()

    assert parse(verification_id(row), prefix="ver") == row
    assert parse(attempt_id(row), prefix="att") == row
    assert parse(attempt_id(row), prefix="ver") is None


@pytest.mark.parametrize(
    "text", ["", "ver_", "ver_x", f"ver_{'0' * 31}", f"ver_{'A' * 32}", f"ver_{'0' * 32}\n", "0" * 32]
)
def test_what_is_no_public_id_names_nothing(text: str) -> None:
    assert parse(text, prefix="ver") is None


def test_ids_follow_one_another_in_time() -> None:
    ids = [new_id() for _ in range(1_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 1_000
