"""Verifying the whole audit trail: every chain, every checkpoint, beside the checkpoints that were kept elsewhere."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import INSTANCE_CHAIN
from rules.audit.checkpoints import Checkpoint, CheckpointKind
from rules.audit.verifying import ChainVerifier, Fault, Finding, Place
from security.audit_signing import is_genuine
from store.audit_reading import (
    as_stored,
    chain_rows,
    chains,
    chains_of_accounts,
    checkpoints,
    count_of_entries,
    end_of,
    links,
)
from store.engine import Database

_CHAIN = re.compile(r"[0-9a-f]{32}|instance")


@dataclass(slots=True)
class AuditReport:
    """What was looked at, and what is wrong with it."""

    chains: int = 0
    entries: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Say whether nothing was found."""
        return not self.findings


class AuditVerification:
    """Says whether the trail is whole, and where it is not. `public_keys` are those that may have signed, by name."""

    def __init__(self, database: Database, *, public_keys: Mapping[str, bytes]) -> None:
        self._database = database
        self._public_keys = public_keys

    async def count(self) -> int:
        """Return how many entries there are to look at."""
        async with self._database.reading() as connection:
            return await count_of_entries(connection)

    async def verify(
        self, exported: Sequence[Checkpoint] = (), *, on_progress: Callable[[int], None] = lambda _: None
    ) -> AuditReport:
        """Look at every entry; `exported` are checkpoints that were kept outside of this database."""
        report = AuditReport()
        async with self._database.reading() as connection, as_stored(connection):
            # Before the chains: an account made meanwhile comes with its chain.
            begun = [INSTANCE_CHAIN, *await chains_of_accounts(connection)]
            stored = await checkpoints(connection)
            names = await chains(connection)
            genuine = self._genuine(stored, "stored", report) + self._genuine(exported, "exported", report)
            report.findings += _not_stored_any_more(stored, genuine)
            report.findings += _gone(set(begun) - set(names))
            for chain in sorted({*names, *(each.chain for each in genuine)}):
                if _CHAIN.fullmatch(chain):
                    own = [each for each in genuine if each.chain == chain]
                    await self._verify(connection, chain, own, report, on_progress)
                else:
                    report.findings.append(Finding(chain, 0, Fault.INSERTED, "no chain can have this name"))
        report.checkpoints = len({(each.chain, each.sequence, each.kind) for each in genuine})
        return report

    def _genuine(self, found: Sequence[Checkpoint], where: str, report: AuditReport) -> list[Checkpoint]:
        """Return the checkpoints that were signed as they are; the others are findings."""
        genuine = [each for each in found if is_genuine(each, self._public_keys)]
        seen = f"the {where} checkpoint was not signed like this with a key of this instance"
        forged = [each for each in found if each not in genuine] if len(genuine) < len(found) else []
        report.findings += [Finding(each.chain, each.sequence, Fault.CHANGED, seen) for each in forged]
        return genuine

    async def _verify(
        self,
        connection: AsyncConnection,
        chain: str,
        genuine: Sequence[Checkpoint],
        report: AuditReport,
        on_progress: Callable[[int], None],
    ) -> None:
        cuts = [Place(each.sequence, each.hash) for each in genuine if each.kind == CheckpointKind.CUT]
        verifier = ChainVerifier(
            chain,
            expected=_expected(genuine, report),
            begins_after=max(cuts, key=lambda each: each.sequence, default=None),
        )
        after = -(2**31)
        while True:
            while rows := await chain_rows(connection, chain, after=after):
                verifier.add(links(rows))
                after = rows[-1].sequence
                on_progress(len(rows))
            # What was written while this was reading is read too, so that the end is the end of what was read.
            end = await end_of(connection, chain)
            if end.last <= max(after, 0):
                break
        head = None if end.sequence is None or end.hash is None else Place(end.sequence, end.hash)
        report.findings += verifier.finish(head)
        report.entries += verifier.count
        report.chains += 1


def _expected(genuine: Sequence[Checkpoint], report: AuditReport) -> dict[int, str]:
    """Return the hash that was signed for each sequence; two that differ mean that a chain was made twice."""
    expected: dict[int, str] = {}
    for each in genuine:
        if expected.setdefault(each.sequence, each.hash) != each.hash:
            seen = "two signed checkpoints give this entry different hashes"
            report.findings.append(Finding(each.chain, each.sequence, Fault.REBUILT, seen))
    return expected


def _not_stored_any_more(stored: Sequence[Checkpoint], genuine: Sequence[Checkpoint]) -> list[Finding]:
    """Return the checkpoints that were exported and should still be stored, but are not."""
    there = set(stored)
    cuts: dict[str, int] = {}
    for each in genuine:
        if each.kind == CheckpointKind.CUT:
            cuts[each.chain] = max(each.sequence, cuts.get(each.chain, 0))
    gone = {each for each in genuine if each not in there and each.sequence >= cuts.get(each.chain, 0)}
    seen = "an exported checkpoint is not stored any more"
    return [Finding(each.chain, each.sequence, Fault.MISSING, seen) for each in sorted(gone, key=_in_order)]


def _gone(chains_gone: Iterable[str]) -> list[Finding]:
    """Return the chains that were begun with what they are of, and are not there."""
    seen = "the whole chain is gone, and what it is of is there"
    return [Finding(each, 1, Fault.TRUNCATED, seen) for each in sorted(chains_gone)]


def _in_order(checkpoint: Checkpoint) -> tuple[str, int, str]:
    return checkpoint.chain, checkpoint.sequence, checkpoint.kind
