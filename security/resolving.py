"""Names to addresses, by the machine's resolver, so that one slow name does not keep others waiting."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import TypeAlias

from rules.webhooks.addresses import Address

Resolve: TypeAlias = Callable[[str], Awaitable[Sequence[Address]]]

# A look-up blocks its thread until the resolver gives up, also when nobody waits for it any more. As a name never has
# more than one under way, this many names must hang at once before others wait.
_THREADS = 32


class SystemResolver:
    """Asks `getaddrinfo` in threads of its own; those who want the same name at the same time share one look-up."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolver")
        self._under_way: dict[str, asyncio.Future[Sequence[Address]]] = {}

    async def __call__(self, name: str) -> Sequence[Address]:
        """Return the addresses of a name in the order in which to try them; none when it has none."""
        found = self._under_way.get(name)
        if found is None:
            found = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, name)
            self._under_way[name] = found
            found.add_done_callback(lambda _: self._under_way.pop(name, None))
        return await asyncio.shield(found)

    def close(self) -> None:
        """Let the threads go; look-ups that have not begun never will."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(name: str) -> Sequence[Address]:
    try:
        # Bytes: for a string, Python would apply its own old rules for international names.
        found = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(ip_address(str(each[4][0])) for each in found))
