"""How an invited person becomes an operator: a password, an authenticator app, and a code of it to show that it works.

Until the code was shown the invitation holds, so that somebody who closed the page can begin again; then it is gone.
"""

from dataclasses import dataclass, field

from domain.operator_errors import InvitationEndedError, WeakPasswordError
from domain.operators import OperatorFacts
from rules.second_factor import why_weak
from security.columns import Sealer
from security.keyring import KeyRing
from security.operator_secrets import (
    INVITATION,
    OperatorHashes,
    enrolment_uri,
    new_recovery_codes,
    new_totp_secret,
    qr_code,
)
from security.passwords import Passwords
from services.operators import entry, operator_actor
from services.second_factor import SecondFactor, totp_sealer
from store.audit import record
from store.engine import Database
from store.operators import begin_enrolment, finish_enrolment, operator_invited_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What an authenticator app is enrolled with, shown this once: as a URI, and as an image to scan."""

    uri: str = field(repr=False)
    qr_svg: str = field(repr=False)


class Enrolments:
    """Takes invitations."""

    def __init__(self, *, database: Database, keys: KeyRing, passwords: Passwords, factor: SecondFactor) -> None:
        self._database = database
        self._emails = Sealer(keys, table="operator", column="email")
        self._totp = totp_sealer(keys)
        self._hashes = OperatorHashes(keys)
        self._passwords = passwords
        self._factor = factor

    async def accept(self, invitation: str, *, password: str) -> Enrolment:
        """Take a password, and return what to enrol an app with. Done again it makes everything anew.

        Raises:
            InvitationEndedError: the invitation is not known, was used, or has expired.
            WeakPasswordError: the password is too easy to guess.

        """
        operator, digest = await self._invited(invitation)
        email = await self._emails.open(operator.email_sealed, account_id=None, row=operator.id)
        if (why := why_weak(password, email=email)) is not None:
            raise WeakPasswordError(why)
        secret = new_totp_secret()
        hashed = await self._passwords.hash(password)
        sealed = await self._totp.seal(secret, account_id=None, row=operator.id)
        async with self._database.transaction() as connection:
            if not await begin_enrolment(connection, operator.id, digest, password_hash=hashed, totp_sealed=sealed):
                raise _ended()
        uri = enrolment_uri(secret, email=email)
        return Enrolment(uri=uri, qr_svg=qr_code(uri))

    async def enrol(self, invitation: str, *, code: str) -> list[str]:
        """Take a code of the app, make the operator active, and return their recovery codes, this once.

        Raises:
            InvitationEndedError: as above; or no password was chosen yet.
            CodeRefusedError, CodesThrottledError: the code is not right.

        """
        operator, digest = await self._invited(invitation)
        if operator.totp_sealed is None:
            raise _ended()
        proof = await self._factor.examine(operator.id, code)
        codes = new_recovery_codes()
        async with self._database.transaction() as connection:
            await self._factor.spend(connection, proof)
            is_done = await finish_enrolment(
                connection,
                operator.id,
                digest,
                totp_sealed=proof.totp_sealed,
                recovery_hashes=[self._hashes.of_recovery_code(each) for each in codes],
            )
            if not is_done:
                raise _ended()
            await record(connection, entry("operator.enrolled", operator.id, operator_actor(operator.id), {}))
        return codes

    async def _invited(self, invitation: str) -> tuple[OperatorFacts, str]:
        digest = self._hashes.of_token(invitation, prefix=INVITATION)
        if digest is None:
            raise _ended()
        async with self._database.reading() as connection:
            operator = await operator_invited_by(connection, digest)
        if operator is None:
            raise _ended()
        return operator, digest


def _ended() -> InvitationEndedError:
    return InvitationEndedError(
        "The invitation is not known here, was used, or has expired after 72 hours; ask an owner for a new one."
    )
