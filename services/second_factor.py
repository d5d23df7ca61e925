"""The second factor of an operator: a code of their authenticator app, or a recovery code; each works once.

A code is examined first and spent in the transaction of what it is good for. Examining counts it as a wrong one;
spending it takes that back. So of a thousand guesses at once five are compared.
"""

from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import SYSTEM, AuditEntry
from domain.errors import NotFoundError
from domain.ids import operator_id as public_id
from domain.operator_errors import CodeRefusedError, CodesThrottledError
from rules.second_factor import RECOVERY_CODE, TOTP_CODE
from security.columns import Sealer
from security.keyring import KeyRing
from security.operator_secrets import OperatorHashes, matching_step
from services.refusals import MINUTE_S, Refusals
from store import tries
from store.engine import Database
from store.operators import read_operator, take_recovery_code, take_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A code that was right when it was looked at: a step of TOTP, or the hash of a recovery code."""

    operator_id: UUID
    tried: str
    totp_sealed: str = field(repr=False)
    step: int | None = None
    recovery_hash: str | None = field(default=None, repr=False)

    @property
    def is_recovery(self) -> bool:
        """Say whether it was a recovery code, of which there is one fewer now."""
        return self.recovery_hash is not None


def totp_sealer(keys: KeyRing) -> Sealer:
    """Return what seals the secrets of authenticator apps."""
    return Sealer(keys, table="operator", column="totp")


class SecondFactor:
    """Examines codes, and spends them."""

    def __init__(self, *, database: Database, keys: KeyRing, refusals: Refusals) -> None:
        self._database = database
        self._refusals = refusals
        self._sealer = totp_sealer(keys)
        self._hashes = OperatorHashes(keys)

    async def examine(self, operator_id: UUID, code: str) -> Proof:
        """Return the proof that a code is.

        Raises:
            CodeRefusedError: it is not right. It counts as a wrong one.
            CodesThrottledError: there were too many wrong ones; it was not compared.

        """
        tried = await counted_try(self._database, _subject(operator_id))
        async with self._database.reading() as connection:
            operator = await read_operator(connection, operator_id)
        if operator is None or operator.totp_sealed is None:
            raise NotFoundError("There is no such operator.")
        proof = Proof(operator_id=operator_id, tried=tried, totp_sealed=operator.totp_sealed)
        if TOTP_CODE.fullmatch(code):
            secret = await self._sealer.open(operator.totp_sealed, account_id=None, row=operator_id)
            step = matching_step(secret, code, at=operator.read_at)
            if step is not None:
                return replace(proof, step=step)
        elif RECOVERY_CODE.fullmatch(code):
            return replace(proof, recovery_hash=self._hashes.of_recovery_code(code))
        raise self._refused(operator_id)

    async def spend(self, connection: AsyncConnection, proof: Proof) -> None:
        """Use up what was examined, in this transaction.

        Raises:
            CodeRefusedError: it was used before, or a newer one was. It stays counted as a wrong one.

        """
        if proof.step is not None:
            is_first = await take_step(connection, proof.operator_id, proof.step)
        else:
            is_first = await take_recovery_code(connection, proof.operator_id, proof.recovery_hash or "")
        if not is_first:
            raise self._refused(proof.operator_id)
        await tries.give_back(connection, _subject(proof.operator_id), proof.tried)

    def _refused(self, operator_id: UUID) -> CodeRefusedError:
        """Return the refusal of a code, which does not say what is wrong with it; the trail hears of it."""
        self._refusals.note(failed_sign_in(operator_id), window_s=MINUTE_S)
        return CodeRefusedError(
            "The code is not right, is too old or was used before. Send the six digits that your app shows now, "
            "0 to 9, or a recovery code."
        )


def failed_sign_in(operator: UUID | None) -> AuditEntry:
    """Return what the trail says of a password or a code that was not right; of whom, where we know."""
    return AuditEntry(
        account_id=None,
        environment=None,
        actor=SYSTEM,
        action="operator.sign_in_failed",
        subject=None if operator is None else public_id(operator),
    )


async def counted_try(database: Database, subject: str) -> str:
    """Count a try at something, committed before anything is compared; return it, to be given back.

    Raises:
        CodesThrottledError: it is one too many, and was not counted.

    """
    async with database.transaction() as connection:
        tried = await tries.take(connection, subject)
        wait_s = 0.0 if tried is not None else await tries.wait_s(connection, subject)
    if tried is None:
        raise CodesThrottledError("Too many wrong passwords or codes; wait.", retry_after_s=wait_s)
    return tried


def _subject(operator_id: UUID) -> str:
    return f"code/{operator_id.hex}"
