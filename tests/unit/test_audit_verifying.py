"""Each way of meddling with a chain is told with its kind and its place."""

from collections.abc import Sequence
from dataclasses import replace

from rules.audit.chain import GENESIS, Link, hash_of
from rules.audit.verifying import ChainVerifier, Fault, Place

CHAIN = "0" * 32


def a_chain(length: int, *, subject: str = "key:AbCd1234") -> list[Link]:
    """Return a whole chain."""
    links, previous = list[Link](), GENESIS
    for sequence in range(1, length + 1):
        link = Link(
            chain=CHAIN,
            sequence=sequence,
            at=f"2026-11-24T06:00:00.{sequence:06d}Z",
            environment=None,
            actor="system",
            action="key.created",
            subject=subject,
            details="{}",
            previous=previous,
        )
        links.append(replace(link, hash=hash_of(link)))
        previous = links[-1].hash
    return links


def told(
    links: Sequence[Link], *, head: Place | None, expected: dict[int, str] | None = None, cut: Place | None = None
) -> list[tuple[int, Fault]]:
    """Return what is found, without what was seen."""
    verifier = ChainVerifier(CHAIN, expected=expected or {}, begins_after=cut)
    for link in links:
        verifier.add([link])
    return [(each.sequence, each.fault) for each in verifier.finish(head)]


def head_of(links: Sequence[Link]) -> Place:
    return Place(links[-1].sequence, links[-1].hash)


def renumbered(links: Sequence[Link], by: int) -> list[Link]:
    return [replace(each, sequence=each.sequence + by) for each in links]


def test_a_whole_chain_has_no_finding() -> None:
    chain = a_chain(9)

    assert told(chain, head=head_of(chain), expected={4: chain[3].hash, 9: chain[8].hash}) == []


def test_a_changed_entry_is_named() -> None:
    chain = a_chain(9)
    head = head_of(chain)
    chain[4] = replace(chain[4], subject="key:other")

    assert told(chain, head=head) == [(5, Fault.CHANGED)]


def test_a_changed_entry_with_its_hash_made_anew_is_named_by_the_one_after_it() -> None:
    chain = a_chain(9)
    head = head_of(chain)
    changed = replace(chain[4], subject="key:other")
    chain[4] = replace(changed, hash=hash_of(changed))

    assert told(chain, head=head) == [(5, Fault.CHANGED)]


def test_missing_entries_are_named() -> None:
    chain = a_chain(9)

    assert told(chain[:3] + chain[5:], head=head_of(chain)) == [(4, Fault.MISSING)]
    assert told(chain[2:], head=head_of(chain)) == [(1, Fault.MISSING)]


def test_entries_gone_and_the_rest_renumbered_are_missing() -> None:
    chain = a_chain(9)
    closed = chain[:3] + renumbered(chain[4:], -1)

    assert (4, Fault.MISSING) in told(closed, head=Place(8, chain[8].hash))


def test_an_entry_put_in_is_named() -> None:
    chain = a_chain(9)
    fitting = replace(chain[3], actor="operator:x", previous=chain[2].hash)
    opened = [*chain[:3], replace(fitting, hash=hash_of(fitting)), *renumbered(chain[3:], 1)]

    assert (5, Fault.INSERTED) in told(opened, head=Place(10, chain[8].hash))


def test_an_entry_after_the_head_was_put_in() -> None:
    chain = a_chain(9)

    assert told(chain, head=head_of(chain[:8])) == [(9, Fault.INSERTED)]


def test_entries_in_each_other_s_place_are_named() -> None:
    chain = a_chain(9)
    head = head_of(chain)
    chain[2], chain[6] = replace(chain[6], sequence=3), replace(chain[2], sequence=7)

    found = told(chain, head=head)

    assert {(3, Fault.REORDERED), (7, Fault.REORDERED)} <= set(found)


def test_a_tail_cut_off_is_named_by_the_head_or_by_a_checkpoint() -> None:
    chain = a_chain(9)

    assert told(chain[:6], head=head_of(chain)) == [(7, Fault.TRUNCATED)]
    assert told(chain[:6], head=head_of(chain[:6]), expected={8: chain[7].hash}) == [(8, Fault.TRUNCATED)]
    assert told([], head=None, expected={8: chain[7].hash}) == [(8, Fault.TRUNCATED)]


def test_a_chain_made_anew_is_named_by_a_checkpoint() -> None:
    chain, other = a_chain(9), a_chain(9, subject="key:other")

    assert told(other, head=head_of(other), expected={8: chain[7].hash}) == [(8, Fault.REBUILT)]


def test_a_chain_may_begin_behind_a_cut_and_nowhere_else() -> None:
    chain = a_chain(9)
    cut = Place(4, chain[3].hash)

    assert told(chain[4:], head=head_of(chain), cut=cut) == []
    assert told([], head=head_of(chain[:4]), cut=cut) == []
    assert told(chain[5:], head=head_of(chain), cut=cut) == [(5, Fault.MISSING)]
    assert told(chain[4:], head=head_of(chain), cut=Place(4, "f" * 64)) == [(4, Fault.CHANGED)]


def test_of_very_many_entries_that_do_not_fit_the_rest_is_a_number() -> None:
    chain = [replace(each, actor="operator:x") for each in a_chain(400)]

    verifier = ChainVerifier(CHAIN, expected={})
    verifier.add(chain)
    found = verifier.finish(head_of(chain))

    assert len(found) == 201
    assert found[-1].seen.startswith("200 more")


def test_a_chain_of_which_only_a_signed_cut_is_left_is_truncated() -> None:
    verifier = ChainVerifier("instance", expected={5: "5" * 64}, begins_after=Place(5, "5" * 64))

    assert [(each.sequence, each.fault) for each in verifier.finish(None)] == [(6, Fault.TRUNCATED)]
