"""The search finds what is there, in every form and place it can be in, and does not take other digits for it."""

import base64
import random
import re
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bench.canary.drill import Finding, most_by_chance
from bench.canary.needles import CONTROLS, controls_of, needles_of
from bench.canary.places import files, values
from bench.canary.search import search

NUMBER, NATIONAL, MIDDLE, CODE = "12015550142", "2015550142", "201555", "48392011"
NEEDLES = needles_of([f"+{NUMBER}"], [CODE])


def found(chunk: bytes) -> set[tuple[str, str]]:
    return {(hit.kind, hit.needle) for hit in search([chunk], NEEDLES)}


def kinds(chunk: bytes) -> set[str]:
    return {kind for kind, _ in found(chunk)}


def in_base64(text: bytes) -> bytes:
    return b'{"data":"' + base64.b64encode(text) + b'"}'


def in_url_safe_base64(text: bytes) -> bytes:
    return base64.urlsafe_b64encode(b"\xfb\xff" + text).rstrip(b"=")


FORMS: list[Callable[[bytes], bytes]] = [
    lambda text: b"to " + text + b" sent",
    lambda text: b'{"to":"' + text + b'"}',
    lambda text: b"\x00\x0b" + text + b"\x12\x07",
    lambda text: b"code" + text + b"x",
    lambda text: text.hex().encode(),
    lambda text: b"x=" + (b"\n\x0e" + text).hex().upper().encode(),
    in_base64,
    lambda text: in_base64(b"a" + text),
    lambda text: in_base64(b"ab" + text + b"abc"),
    in_url_safe_base64,
    lambda text: text.decode().encode("utf-16-le"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("text", "kind"), [(NUMBER, "number"), (NATIONAL, "national"), (MIDDLE, "middle"), (CODE, "code")]
)
def test_what_is_there_is_found(text: str, kind: str, form: Callable[[bytes], bytes]) -> None:
    assert (kind, text) in found(form(text.encode()))


@pytest.mark.parametrize("text", [f"+{NUMBER}", f"00{NUMBER}", f"%2B{NUMBER}", f"99{NUMBER}99"])
def test_a_number_is_found_wherever_its_digits_stand(text: str) -> None:
    assert ("number", NUMBER) in found(text.encode())


def test_a_national_number_is_found_behind_its_nought() -> None:
    assert kinds(f"0{NATIONAL}".encode()) == {"national"}


@pytest.mark.parametrize(
    "other",
    [
        f"1{CODE}",
        f"{CODE}7",
        f"at 2026-11-24T06:44:40.{CODE}Z",
        f"01a20c56{CODE}439719fcd1b20f2b69aa",
        f"{MIDDLE}7",
        f"2026-11-24 06:44:40,{MIDDLE}",
        f"7{NATIONAL}",
    ],
)
def test_other_digits_that_hold_the_same_are_no_find(other: str) -> None:
    assert kinds(other.encode()) == set()


def test_masked_numbers_and_sealed_values_are_no_find() -> None:
    assert kinds("+1••••••0142".encode()) == set()


def test_a_value_that_a_database_cuts_to_pages_is_found_in_its_rows(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("CREATE TABLE t (a BLOB, b INTEGER)")
        connection.execute("INSERT INTO t VALUES (?, ?)", (b"x" * 4_000 + CODE.encode() + b"x" * 9_000, int(NUMBER)))
        connection.commit()

    in_rows = {(hit.kind, hit.needle) for hit in search(values(tmp_path / "x.db"), NEEDLES)}

    assert {("code", CODE), ("number", NUMBER)} <= in_rows
    assert files(tmp_path / "x.db")


def test_ids_and_hashes_hold_no_code_by_chance() -> None:
    """Every run of eight digits in thousands of ids would be a code: none is taken for one."""
    rng = random.Random(1)
    ids = [uuid.UUID(int=rng.getrandbits(128)) for _ in range(20_000)]
    text = " ".join(f"{each.hex} {each}\x01{each}" for each in ids)
    by_chance = set(re.findall(r"(?<![0-9])[0-9]{8}(?![0-9])", text))

    assert len(by_chance) > 1_000
    assert not search([text.encode()], needles_of([f"+{NUMBER}"], by_chance))


def test_controls_are_like_what_was_issued_and_are_none_of_it() -> None:
    issued = needles_of([f"+1201555{each:04}" for each in range(100)], [f"{each:08}" for each in range(100)])

    controls = controls_of(issued, seed=1)

    assert not controls.codes & issued.codes
    assert not controls.numbers & issued.numbers
    assert len(controls.codes) > len(issued.codes) * (CONTROLS - 1)
    assert {len(each) for each in controls.numbers} == {11}
    assert controls == controls_of(issued, seed=1)


def test_one_number_or_code_is_a_leak_and_a_middle_is_one_when_chance_does_not_explain_it() -> None:
    issued, never = search([CODE.encode()], NEEDLES), search([b"nothing"], NEEDLES)
    few, many = (search([b" ".join([MIDDLE.encode()] * count)], NEEDLES) for count in (1, 9))

    assert Finding(size_bytes=8, issued=issued, never_issued=never).leaked == [f"code {CODE}, as it is"]
    assert not Finding(size_bytes=6, issued=few, never_issued=never).leaked
    assert Finding(size_bytes=60, issued=many, never_issued=never).leaked
    assert not Finding(size_bytes=0, issued=never, never_issued=never).leaked


@pytest.mark.parametrize(("expected", "most"), [(0.1, 4), (1.0, 9), (10.0, 28)])
def test_what_chance_explains_is_poissons(expected: float, most: int) -> None:
    assert most_by_chance(expected) == most
