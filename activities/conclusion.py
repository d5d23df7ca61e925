"""The last word on a verification: the end state goes into the database, once, unless it holds one already."""

from temporalio import activity

from domain.messages import Concluded, Conclusion
from domain.statuses import VerificationStatus
from store.engine import Database
from store.verifications import conclude, read_verification

_WITHDRAWN = Concluded(status=VerificationStatus.FAILED, reason="withdrawn")
# Wait a little longer than the clock says, so that the next look finds the time to be over.
_MARGIN_S = 0.05


class ConclusionActivities:
    """Conclude verifications."""

    def __init__(self, *, database: Database, failures_cap: int) -> None:
        self._database = database
        self._failures_cap = failures_cap

    @activity.defn(name="conclude")
    async def conclude(self, conclusion: Conclusion) -> Concluded:
        """Write the end state if it is due, and say what the database holds: it may know better.

        A verification that expires does so by the database's clock: asked too early, the answer is `pending` with the
        seconds that remain. One without a row was taken back before it began.
        """
        async with self._database.transaction() as connection:
            await conclude(
                connection,
                conclusion.verification_id,
                status=conclusion.status,
                reason=conclusion.reason,
                failures_cap=self._failures_cap,
                only_when_due=conclusion.status is VerificationStatus.EXPIRED,
            )
            facts = await read_verification(connection, conclusion.verification_id)
        if facts is None:
            return _WITHDRAWN
        remaining_s = max(0.0, (facts.expires_at - facts.read_at).total_seconds()) + _MARGIN_S
        return Concluded(
            status=facts.status,
            reason=facts.reason,
            remaining_s=remaining_s if facts.status is VerificationStatus.PENDING else 0.0,
        )
