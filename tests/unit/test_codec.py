"""The codec: for whom payloads are sealed on each of the SDK's paths, and what is refused."""

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import (
    ActivitySerializationContext,
    NexusSerializationContext,
    SerializationContext,
    WorkflowSerializationContext,
)
from temporalio.exceptions import ApplicationError

from runtime.codec import EncryptingCodec, PlainPayloadError, encrypting
from security.payloads import PayloadCipher, PayloadKeys, UnreadablePayloadError, is_sealed, workflow_of

PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"words"')
CIPHER = PayloadCipher(PayloadKeys(newest="k", by_kid={"k": bytes(32)}), namespace="default")


def an_activity(workflow_id: str | None, *, is_local: bool = False) -> ActivitySerializationContext:
    return ActivitySerializationContext(
        namespace="default",
        activity_id="1",
        activity_type="send",
        activity_task_queue="carriers-eu",
        workflow_id=workflow_id,
        workflow_type="VerificationWorkflow",
        is_local=is_local,
    )


A_WORKFLOW = WorkflowSerializationContext(namespace="default", workflow_id="verification/ver_1")
NEXUS = NexusSerializationContext(endpoint="e", service="s", operation="o")


def codec(context: SerializationContext | None = None, *, is_strict: bool = True) -> EncryptingCodec:
    made = EncryptingCodec(CIPHER, is_strict=is_strict)
    return made if context is None else made.with_context(context)


@pytest.mark.parametrize(
    ("context", "workflow"),
    [
        (A_WORKFLOW, "verification/ver_1"),
        (an_activity("verification/ver_1"), "verification/ver_1"),
        (an_activity("verification/ver_1", is_local=True), "verification/ver_1"),
        (WorkflowSerializationContext(namespace="default", workflow_id="upkeep-2026-11-24T06:00:00Z"), "upkeep"),
        (an_activity(None), ""),
        (NEXUS, ""),
        (None, ""),
    ],
)
async def test_a_payload_is_bound_to_the_workflow_at_hand(context: SerializationContext | None, workflow: str) -> None:
    [sealed] = await codec(context).encode([PLAIN])

    assert workflow_of(sealed) == workflow
    assert await codec(context).decode([sealed]) == [PLAIN]


@pytest.mark.parametrize("context", [an_activity("verification/ver_2"), an_activity(None), NEXUS])
async def test_a_workflows_payload_opens_nowhere_else(context: SerializationContext) -> None:
    sealed = await codec(A_WORKFLOW).encode([PLAIN])

    with pytest.raises(UnreadablePayloadError, match="another workflow"):
        await codec(context).decode(sealed)


@pytest.mark.parametrize("context", [an_activity(None), NEXUS, None])
async def test_what_belongs_to_no_workflow_does_not_open_in_one(context: SerializationContext | None) -> None:
    sealed = await codec(context).encode([PLAIN])

    with pytest.raises(UnreadablePayloadError, match="another workflow"):
        await codec(A_WORKFLOW).decode(sealed)


async def test_a_strict_codec_refuses_plain_payloads_and_a_lenient_one_takes_them() -> None:
    with pytest.raises(PlainPayloadError, match="COUNTERSIGN_PAYLOAD_ENCRYPTION is strict"):
        await codec(A_WORKFLOW).decode([PLAIN])

    assert await codec(A_WORKFLOW, is_strict=False).decode([PLAIN]) == [PLAIN]


async def test_a_lenient_codec_seals_what_it_sends() -> None:
    [sealed] = await codec(A_WORKFLOW, is_strict=False).encode([PLAIN])

    assert is_sealed(sealed)


async def test_a_failures_words_and_traces_are_sealed_and_come_back() -> None:
    converter = encrypting(CIPHER, is_strict=True).with_context(A_WORKFLOW)
    failure = Failure()

    await converter.encode_failure(_raised("words of the failure"), failure)
    stored = failure.SerializeToString()
    back = await converter.decode_failure(failure)

    assert b"words" not in stored
    assert b"test_codec.py" not in stored
    assert b"details" not in stored
    assert isinstance(back, ApplicationError)
    assert (back.message, list(back.details), back.type) == ("words of the failure", ["details"], "Kind")


def _raised(words: str) -> ApplicationError:
    error = ApplicationError(words, "details", type="Kind")
    with pytest.raises(ApplicationError):
        raise error
    return error
