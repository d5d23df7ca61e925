"""Posts receipts when they are due, again and again until somebody takes them or they are too old."""

import asyncio

import httpx2
import structlog

from sandbox.database import Clock
from sandbox.receipts import DueReceipt, ReceiptQueue, sign
from sandbox.settings import SandboxSettings

# Finer than the delay of a prompt receipt, coarse enough that looking costs nothing.
LOOK_EVERY_S = 0.025
BATCH = 32
POST_TIMEOUT_S = 5.0
_SERVER_ERROR = 500

log = structlog.get_logger()


class Postman:
    """Takes due receipts from the queue to the receiver."""

    def __init__(
        self,
        *,
        queue: ReceiptQueue,
        settings: SandboxSettings,
        client: httpx2.AsyncClient,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._client = client
        self._clock = clock

    async def run(self) -> None:
        """Post what is due, until cancelled."""
        while True:
            batch = self._queue.due(limit=BATCH)
            await asyncio.gather(*(self._deliver(receipt) for receipt in batch))
            if len(batch) < BATCH:
                await asyncio.sleep(LOOK_EVERY_S)

    async def _deliver(self, receipt: DueReceipt) -> None:
        if await self._is_taken(receipt):
            self._queue.remove(receipt)
        elif not self._queue.postpone(receipt):
            log.warning("receipt given up", carrier=receipt.carrier, tries=receipt.tries)

    async def _is_taken(self, receipt: DueReceipt) -> bool:
        """Post once. A receiver that says no has taken it; one that is silent or broken has not."""
        timestamp = str(int(self._clock()))
        headers = {
            "content-type": "application/json",
            "x-sandbox-timestamp": timestamp,
            "x-sandbox-signature": sign(secret=self._settings.secret, timestamp=timestamp, body=receipt.body),
        }
        url = f"{self._settings.receipt_url.rstrip('/')}/{receipt.carrier}"
        try:
            response = await self._client.post(url, content=receipt.body, headers=headers, timeout=POST_TIMEOUT_S)
        except httpx2.RequestError:
            return False
        return response.status_code < _SERVER_ERROR
