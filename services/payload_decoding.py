"""Opening payloads for a person who looks at a workflow: each time it is done, the audit trail says so first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from temporalio.api.common.v1 import Payload

from domain.audit import AuditEntry
from domain.errors import InvalidRequestError
from domain.facts import Caller
from security.payloads import PayloadCipher, UnreadablePayloadError, is_sealed, workflow_of
from store.audit import record
from store.engine import Database

# What the trail calls the workflow of a payload that belongs to none.
_NO_WORKFLOW = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPayload:
    """A payload as it lies at Temporal, or as it was before it was sealed."""

    metadata: Mapping[str, bytes]
    data: bytes = field(repr=False)


class PayloadDecoding:
    """Opens sealed payloads; plain ones are given back as they are. Without a cipher there are only plain ones."""

    def __init__(self, *, database: Database, cipher: PayloadCipher | None, namespace: str) -> None:
        self._database = database
        self._cipher = cipher
        self._namespace = namespace

    async def decode(self, caller: Caller, payloads: Sequence[RawPayload], *, namespace: str) -> list[RawPayload]:
        """Return what the payloads hold, after noting who asked and for which workflows.

        Raises:
            InvalidRequestError: the namespace is not this instance's, or a payload does not open.

        """
        if namespace != self._namespace:
            raise InvalidRequestError(f"This instance reads the namespace {self._namespace}, and no other.")
        given = [Payload(metadata=each.metadata, data=each.data) for each in payloads]
        opened = [await self._open(each, place=place) for place, each in enumerate(given)]
        await self._note(caller, Counter(workflow_of(each) for each in given if is_sealed(each)))
        return [RawPayload(metadata=dict(each.metadata), data=each.data) for each in opened]

    async def _open(self, payload: Payload, *, place: int) -> Payload:
        if not is_sealed(payload):
            return payload
        if self._cipher is None:
            raise InvalidRequestError(f"payloads.{place} is sealed, but payload encryption is off here.")
        try:
            return await self._cipher.open(payload, workflow_id=None)
        except UnreadablePayloadError as error:
            raise InvalidRequestError(f"payloads.{place} does not open: {error}.") from None

    async def _note(self, caller: Caller, opened: Counter[str]) -> None:
        if not opened:
            return
        async with self._database.transaction() as connection:
            for workflow, count in sorted(opened.items()):
                entry = AuditEntry(
                    account_id=None,
                    environment=None,
                    actor=caller.actor,
                    action="codec.decoded",
                    subject=workflow or _NO_WORKFLOW,
                    details={"payloads": count, "namespace": self._namespace},
                )
                await record(connection, entry)
