"""Verifying one chain: every entry in its place, hashed over the one before it, and as each checkpoint says. Pure.

What is wrong is told with its place and its kind. One change may be told in more than one way; none is told as nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from rules.audit.chain import GENESIS, Link, hash_of

# Of more entries than these that do not fit their hash, the rest is told as a number.
_LOOKED_INTO = 200


class Fault(StrEnum):
    """What happened to a chain."""

    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    REBUILT = "rebuilt"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where (chain and sequence), of which kind, and what was seen."""

    chain: str
    sequence: int
    fault: Fault
    seen: str


@dataclass(frozen=True, slots=True)
class Place:
    """A sequence and the hash of the entry that stands there."""

    sequence: int
    hash: str


class ChainVerifier:
    """Takes a chain's links in order, then says what is wrong with it.

    `expected` are the hashes that genuine checkpoints give; `begins_after` is the newest genuine cut, behind which the
    chain may begin.
    """

    def __init__(self, chain: str, *, expected: Mapping[int, str], begins_after: Place | None = None) -> None:
        self.chain = chain
        self.last = Place(0, GENESIS)
        self.count = 0
        self._cut = begins_after
        self._expected = dict(expected)
        self._findings: list[Finding] = []
        self._misfits: list[Link] = []
        self._more_misfits = 0

    def add(self, links: Iterable[Link]) -> None:
        """Look at the next links."""
        last, expected = self.last, self._expected
        for link in links:
            if self.count == 0:
                last = self._begin(link)
            self.count += 1
            digest = hash_of(link)
            # The usual case first, and in one look: this loop is what a million entries go through.
            if not (digest == link.hash and link.previous == last.hash and link.sequence == last.sequence + 1):
                self._look_into(link, digest, last)
            if link.sequence in expected:
                self._compare(link, expected.pop(link.sequence))
            last = Place(link.sequence, link.hash)
        self.last = last

    def finish(self, head: Place | None) -> list[Finding]:
        """Return what is wrong, in order, once every link was added; `head` is what the head's row says."""
        self._explain_misfits()
        if self.count == 0 and self._cut is not None:
            self.last = self._cut
        if head is None:
            if self.count:
                self._find(self.last.sequence, Fault.INSERTED, "there are entries, but no head knows this chain")
            elif self._cut is not None:
                self._find(self._cut.sequence + 1, Fault.TRUNCATED, "of this chain nothing but a signed cut is there")
        elif head.sequence > self.last.sequence:
            self._find(
                self.last.sequence + 1, Fault.TRUNCATED, f"the head is at {head.sequence}, the entries end before"
            )
        elif head.sequence < self.last.sequence:
            self._find(head.sequence + 1, Fault.INSERTED, f"the head is at {head.sequence}, entries go on after it")
        elif head.hash != self.last.hash:
            self._find(head.sequence, Fault.CHANGED, "the head has another hash than the newest entry")
        cut = 0 if self._cut is None else self._cut.sequence
        for sequence in sorted(each for each in self._expected if each > max(self.last.sequence, cut)):
            self._find(sequence, Fault.TRUNCATED, "a signed checkpoint knows this entry; the chain ends before it")
        return sorted(self._findings, key=lambda each: (each.sequence, each.fault))

    def _begin(self, first: Link) -> Place:
        """Return the place before the first link: the beginning of the chain, or a signed cut."""
        if self._cut is None or first.sequence <= 1:
            return self.last
        return self._cut

    def _look_into(self, link: Link, digest: str, last: Place) -> None:
        if digest != link.hash:
            if len(self._misfits) < _LOOKED_INTO:
                self._misfits.append(link)
            else:
                self._more_misfits += 1
        if link.sequence > last.sequence + 1:
            gone = f"{last.sequence + 1} to {link.sequence - 1}"
            self._find(last.sequence + 1, Fault.MISSING, f"no entries {gone}")
        elif link.sequence <= last.sequence:
            self._find(link.sequence, Fault.INSERTED, "a second entry with this sequence, or one before its time")
        elif link.previous != last.hash and digest == link.hash:
            self._find(
                max(1, last.sequence), Fault.CHANGED, f"entry {link.sequence} was hashed over another one than this"
            )

    def _compare(self, link: Link, signed: str) -> None:
        if link.hash != signed:
            self._find(link.sequence, Fault.REBUILT, "a signed checkpoint says that the chain had another hash here")

    def _explain_misfits(self) -> None:
        """Tell entries that stand in another's place from those that were changed."""
        places = {each.sequence + step for each in self._misfits for step in (-1, 0, 1)}
        moved = {each.sequence: _own_place(each, places) for each in self._misfits}
        shifts = {own - at for at, own in moved.items() if own is not None}
        for link in self._misfits:
            own = moved[link.sequence]
            if own is None:
                self._find(link.sequence, Fault.CHANGED, "the entry does not fit its hash")
            elif len(self._misfits) > 1 and shifts == {-1}:
                self._find(link.sequence, Fault.INSERTED, f"this was entry {own}; one was put in before it")
                break
            elif len(self._misfits) > 1 and shifts == {1}:
                self._find(link.sequence, Fault.MISSING, f"this was entry {own}; one before it is gone")
                break
            else:
                self._find(link.sequence, Fault.REORDERED, f"this was entry {own}")
        if self._more_misfits:
            last = self._misfits[-1].sequence
            self._find(last, Fault.CHANGED, f"{self._more_misfits} more entries after this do not fit their hashes")

    def _find(self, sequence: int, fault: Fault, seen: str) -> None:
        self._findings.append(Finding(self.chain, sequence, fault, seen))


def _own_place(link: Link, places: Iterable[int]) -> int | None:
    """Return the sequence with which an entry fits its hash, of those that may be; None when none does."""
    return next((each for each in places if hash_of(replace(link, sequence=each)) == link.hash), None)
