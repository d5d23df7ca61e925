"""Payloads over a rotation: the codec takes the ring's newest key, and loads one that another process used first."""

from temporalio.api.common.v1 import Payload

from runtime.codec import EncryptingCodec
from runtime.temporal import payload_cipher
from security.key_encryption import LocalKey
from security.keyring import KeyRing, KeyUse
from tests.building import settings
from tests.keys import MemoryKeys, a_master_key, memory_ring

MASTER = LocalKey(a_master_key())
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"words"')


def codec(ring: KeyRing) -> EncryptingCodec:
    cipher = payload_cipher(settings(payload_encryption="strict"), ring)
    assert cipher is not None
    return EncryptingCodec(cipher, is_strict=True, workflow_id="verification/ver_1")


async def test_a_process_from_before_a_rotation_opens_what_one_after_it_sealed_and_then_seals_so_itself() -> None:
    source = MemoryKeys(MASTER)
    behind, fresh = codec(memory_ring(source, MASTER)), memory_ring(source, MASTER)
    [old] = await behind.encode([PLAIN])
    newer = source.add(KeyUse.PAYLOADS, version=2)
    # What a process that starts after the rotation does.
    await fresh.payloads.reload()
    [new] = await codec(fresh).encode([PLAIN])

    assert new.metadata["countersign-kid"].decode() == newer.kid
    assert await behind.decode([new, old]) == [PLAIN, PLAIN]
    [then] = await behind.encode([PLAIN])
    assert then.metadata["countersign-kid"].decode() == newer.kid
    assert await codec(fresh).decode([old]) == [PLAIN]
