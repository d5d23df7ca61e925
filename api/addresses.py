"""Where a request came from: the socket's peer, or what our own proxies say (`rules/addresses.py`)."""

from collections.abc import Sequence

from fastapi import Request

from rules.addresses import Address, Network, client_address


def address_of_request(request: Request, *, proxies: Sequence[Network]) -> Address | None:
    """Return the address that a request came from, or None where it cannot be known."""
    peer = None if request.client is None else request.client.host
    forwarded = request.headers.getlist("x-forwarded-for") if proxies else []
    return client_address(peer, forwarded, proxies=proxies)
