"""Temporal payloads: AES-256-GCM, bound to the namespace and the workflow they belong to.

A sealed payload names its key (`kid`) and its workflow in its metadata, in clear: who opens it for a person, the codec
server, is told nothing else. Both are under the seal's authentication, so that neither can be changed, and a payload
moved to another workflow does not open there.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload

ENCODING = b"binary/encrypted"
_KID, _WORKFLOW = "countersign-kid", "countersign-workflow"
_NONCE_BYTES = 12
# A key that no process knows is asked for once in so long, however many payloads name it.
_ASK_AGAIN_S = 5.0
# What a Schedule adds to the id of each run. Its runs hand results on, so they share what they are bound to.
_OF_A_SCHEDULE = re.compile(r"-[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")


class UnreadablePayloadError(ValueError):
    """A payload does not open: another key, another workflow, or changed on its way. Its content is never named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadKeys:
    """The keys that payloads are sealed with: the newest seals, every one of them opens."""

    newest: str
    by_kid: Mapping[str, bytes] = field(repr=False)


class PayloadCipher:
    """Seals and opens the payloads of one namespace.

    `reload` reads the keys anew where they are kept; a payload of an unknown key has them read once, for all who wait.
    `current` returns the keys as this process knows them, which after a rotation are others within seconds.
    """

    def __init__(
        self,
        keys: PayloadKeys,
        *,
        namespace: str,
        reload: Callable[[], Awaitable[PayloadKeys]] | None = None,
        current: Callable[[], Awaitable[PayloadKeys]] | None = None,
    ) -> None:
        self.namespace = namespace
        self._reload = reload
        self._current = current
        self._reloading = asyncio.Lock()
        self._not_before: dict[str, float] = {}
        self._take(keys)

    async def keep_up(self) -> None:
        """Take the newest key for what is sealed from now on."""
        if self._current is not None and (keys := await self._current()).newest != self._newest:
            self._take(keys)

    def seal(self, payload: Payload, *, workflow_id: str) -> Payload:
        """Return a payload sealed for a workflow; an empty id binds it to the namespace alone."""
        bound_to, nonce = _bound_to(workflow_id), secrets.token_bytes(_NONCE_BYTES)
        sealed = self._aeads[self._newest].encrypt(nonce, payload.SerializeToString(), self._seal_of(bound_to))
        metadata = {"encoding": ENCODING, _KID: self._newest.encode(), _WORKFLOW: bound_to.encode()}
        return Payload(metadata=metadata, data=nonce + sealed)

    async def open(self, payload: Payload, *, workflow_id: str | None) -> Payload:
        """Return what a payload holds. Without a workflow to hold it against, the one it names is believed.

        Raises:
            UnreadablePayloadError: it was not sealed for this workflow with a key that is known.

        """
        kid, bound_to = _text(payload, _KID), workflow_of(payload)
        if workflow_id is not None and bound_to != _bound_to(workflow_id):
            raise UnreadablePayloadError("the payload was sealed for another workflow")
        aead = self._aeads.get(kid) or await self._look_up(kid)
        try:
            nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
            return Payload.FromString(aead.decrypt(nonce, sealed, self._seal_of(bound_to)))
        except (InvalidTag, ValueError):
            raise UnreadablePayloadError("the payload was not sealed here, or was changed") from None

    async def _look_up(self, kid: str) -> AESGCM:
        """Return a key that another process has begun to use."""
        async with self._reloading:
            clock = asyncio.get_running_loop().time
            if kid not in self._aeads and self._reload is not None and clock() >= self._not_before.get(kid, 0.0):
                self._take(await self._reload())
                # Only what is still unknown, and of that the latest: names are the sender's, and may be made up.
                self._not_before = {} if kid in self._aeads else {kid: clock() + _ASK_AGAIN_S}
            if kid not in self._aeads:
                raise UnreadablePayloadError("the payload was sealed with a key that this instance does not know")
            return self._aeads[kid]

    def _take(self, keys: PayloadKeys) -> None:
        self._newest = keys.newest
        self._aeads = {kid: AESGCM(key) for kid, key in keys.by_kid.items()}

    def _seal_of(self, bound_to: str) -> bytes:
        return b"\0".join((b"countersign/payload/v1", self.namespace.encode(), bound_to.encode()))


def is_sealed(payload: Payload) -> bool:
    """Say whether a payload is sealed; others are plain."""
    return payload.metadata.get("encoding") == ENCODING


def workflow_of(payload: Payload) -> str:
    """Return the workflow that a sealed payload says it belongs to."""
    return _text(payload, _WORKFLOW)


def _bound_to(workflow_id: str) -> str:
    return _OF_A_SCHEDULE.sub("", workflow_id)


def _text(payload: Payload, name: str) -> str:
    return payload.metadata.get(name, b"").decode(errors="replace")
