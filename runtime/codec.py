"""The payload codec: encrypts what goes to Temporal, and decrypts what comes back, or refuses it.

The SDK says for which workflow each payload is (a serialization context): at a client's starts, signals, queries and
results, for a worker's workflows and for its activities, local ones included. Where it knows no workflow (a standalone
activity, the completion of one from outside by its token) what is sent is bound to the namespace alone, and never
opens as a workflow's. Search attributes are never encoded: the server must read them.
"""

from collections.abc import Sequence
from typing import Self

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from security.payloads import PayloadCipher, UnreadablePayloadError, is_sealed


class PlainPayloadError(UnreadablePayloadError):
    """A payload came in clear where only sealed ones are taken."""


class EncryptingCodec(PayloadCodec, WithSerializationContext):
    """Seals and opens payloads for the workflow at hand; a strict one refuses plain ones."""

    def __init__(self, cipher: PayloadCipher, *, is_strict: bool, workflow_id: str | None = None) -> None:
        self._cipher = cipher
        self._is_strict = is_strict
        self._workflow_id = workflow_id

    def with_context(self, context: SerializationContext) -> Self:
        """Return a codec for the workflow that a context names; for none, one that takes no workflow's payloads."""
        match context:
            case WorkflowSerializationContext() | ActivitySerializationContext():
                workflow_id = context.workflow_id or ""
            case _:
                workflow_id = ""
        return type(self)(self._cipher, is_strict=self._is_strict, workflow_id=workflow_id)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads sealed."""
        await self._cipher.keep_up()
        return [self._cipher.seal(each, workflow_id=self._workflow_id or "") for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return what the payloads hold.

        Raises:
            PlainPayloadError: one is plain, and this codec is strict.
            UnreadablePayloadError: one does not open.

        """
        return [await self._decode(each) for each in payloads]

    async def _decode(self, payload: Payload) -> Payload:
        if is_sealed(payload):
            return await self._cipher.open(payload, workflow_id=self._workflow_id)
        if self._is_strict:
            raise PlainPayloadError("the payload is in clear, and COUNTERSIGN_PAYLOAD_ENCRYPTION is strict")
        return payload


def encrypting(cipher: PayloadCipher, *, is_strict: bool) -> DataConverter:
    """Return the SDK's converter with our codec; messages and traces of failures are sealed like everything else."""
    return DataConverter(
        payload_codec=EncryptingCodec(cipher, is_strict=is_strict),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
