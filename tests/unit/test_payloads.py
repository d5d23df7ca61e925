"""Sealed payloads: what opens them, and everything that does not."""

import asyncio
from collections.abc import Callable

import pytest
from temporalio.api.common.v1 import Payload

from security.payloads import PayloadCipher, PayloadKeys, UnreadablePayloadError, is_sealed, workflow_of

KEYS = {"old": bytes(32), "new": bytes(range(32))}
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"nothing that can be read"')
WORKFLOW = "verification/ver_1"


def cipher(newest: str = "new", *, kids: tuple[str, ...] = ("old", "new"), namespace: str = "default") -> PayloadCipher:
    return PayloadCipher(
        PayloadKeys(newest=newest, by_kid={kid: KEYS[kid] for kid in kids}),
        namespace=namespace,
    )


async def test_a_sealed_payload_opens_for_its_workflow_and_shows_nothing_of_its_content() -> None:
    sealed = cipher().seal(PLAIN, workflow_id=WORKFLOW)

    assert is_sealed(sealed)
    assert workflow_of(sealed) == WORKFLOW
    assert b"nothing" not in sealed.SerializeToString()
    assert b"json" not in sealed.SerializeToString()
    assert await cipher().open(sealed, workflow_id=WORKFLOW) == PLAIN
    assert await cipher().open(sealed, workflow_id=None) == PLAIN


async def test_the_same_payload_is_never_sealed_into_the_same_bytes() -> None:
    sealed = {cipher().seal(PLAIN, workflow_id=WORKFLOW).data for _ in range(100)}

    assert len(sealed) == 100


async def test_what_an_older_key_sealed_opens_and_the_newest_seals() -> None:
    old = cipher("old").seal(PLAIN, workflow_id=WORKFLOW)
    new = cipher("new").seal(PLAIN, workflow_id=WORKFLOW)

    assert (old.metadata["countersign-kid"], new.metadata["countersign-kid"]) == (b"old", b"new")
    assert await cipher("new").open(old, workflow_id=WORKFLOW) == PLAIN


def _renamed(sealed: Payload) -> None:
    sealed.metadata["countersign-workflow"] = b"verification/ver_2"


def _of_another_key(sealed: Payload) -> None:
    sealed.metadata["countersign-kid"] = b"old"


def _without_key(sealed: Payload) -> None:
    del sealed.metadata["countersign-kid"]


def _flipped(sealed: Payload) -> None:
    sealed.data = sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])


def _cut(sealed: Payload) -> None:
    sealed.data = sealed.data[:20]


def _empty(sealed: Payload) -> None:
    sealed.data = b""


@pytest.mark.parametrize("change", [_renamed, _of_another_key, _without_key, _flipped, _cut, _empty])
async def test_a_changed_payload_does_not_open(change: Callable[[Payload], None]) -> None:
    sealed = cipher().seal(PLAIN, workflow_id=WORKFLOW)
    change(sealed)

    with pytest.raises(UnreadablePayloadError):
        await cipher().open(sealed, workflow_id=None)


@pytest.mark.parametrize("workflow_id", ["verification/ver_2", "", "verification/ver_1 "])
async def test_a_payload_does_not_open_in_another_workflow(workflow_id: str) -> None:
    sealed = cipher().seal(PLAIN, workflow_id=WORKFLOW)

    with pytest.raises(UnreadablePayloadError, match="another workflow"):
        await cipher().open(sealed, workflow_id=workflow_id)


async def test_a_payload_does_not_open_in_another_namespace() -> None:
    sealed = cipher(namespace="one").seal(PLAIN, workflow_id=WORKFLOW)

    with pytest.raises(UnreadablePayloadError):
        await cipher(namespace="two").open(sealed, workflow_id=WORKFLOW)


async def test_runs_of_one_schedule_hand_their_results_on() -> None:
    sealed = cipher().seal(PLAIN, workflow_id="upkeep-2026-11-24T06:00:00Z")

    assert await cipher().open(sealed, workflow_id="upkeep-2026-11-24T06:00:20Z") == PLAIN
    assert await cipher().open(sealed, workflow_id="upkeep") == PLAIN
    with pytest.raises(UnreadablePayloadError):
        await cipher().open(sealed, workflow_id="downkeep-2026-11-24T06:00:20Z")


async def test_an_unknown_key_is_loaded_once_for_all_who_wait_and_the_newest_seals_from_then_on() -> None:
    loads = 0

    async def load() -> PayloadKeys:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        return PayloadKeys(newest="new", by_kid=KEYS)

    behind = PayloadCipher(PayloadKeys(newest="old", by_kid={"old": KEYS["old"]}), namespace="default", reload=load)
    sealed = [cipher().seal(PLAIN, workflow_id=WORKFLOW) for _ in range(20)]

    opened = await asyncio.gather(*(behind.open(each, workflow_id=WORKFLOW) for each in sealed))

    assert opened == [PLAIN] * 20
    assert loads == 1
    assert behind.seal(PLAIN, workflow_id=WORKFLOW).metadata["countersign-kid"] == b"new"


async def test_after_a_rotation_the_newest_key_seals_although_nothing_sealed_with_it_was_met() -> None:
    newest = "old"

    async def current() -> PayloadKeys:
        return PayloadKeys(newest=newest, by_kid=KEYS)

    keeping_up = PayloadCipher(await current(), namespace="default", current=current)
    newest = "new"
    await keeping_up.keep_up()

    assert keeping_up.seal(PLAIN, workflow_id=WORKFLOW).metadata["countersign-kid"] == b"new"


async def test_a_key_that_nobody_knows_is_asked_for_once_however_many_payloads_name_it() -> None:
    loads = 0

    async def load() -> PayloadKeys:
        nonlocal loads
        loads += 1
        return PayloadKeys(newest="old", by_kid={"old": KEYS["old"]})

    behind = PayloadCipher(await load(), namespace="default", reload=load)
    sealed = cipher().seal(PLAIN, workflow_id=WORKFLOW)

    for _ in range(20):
        with pytest.raises(UnreadablePayloadError, match="a key that this instance does not know"):
            await behind.open(sealed, workflow_id=WORKFLOW)

    assert loads == 2


async def test_refusals_do_not_repeat_what_the_payload_held() -> None:
    sealed = cipher().seal(PLAIN, workflow_id="verification/secret-name")

    with pytest.raises(UnreadablePayloadError) as refused:
        await cipher().open(sealed, workflow_id=WORKFLOW)

    assert "secret-name" not in str(refused.value)


def test_keys_do_not_show() -> None:
    keys = PayloadKeys(newest="new", by_kid={"new": b"a key that is to stay secret...."})

    assert "secret" not in repr(keys)
