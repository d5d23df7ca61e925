"""Where a request came from, when proxies stand in front; and whether that is inside a list of networks. Pure.

Only `X-Forwarded-For` is read, and only where the socket's peer is a proxy of ours. It is read from the right, because
each proxy appends what it saw: the first hop that is not a proxy of ours is the client, and whatever stands to the left
of it was written by the client and proves nothing.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# More proxies in a row than anybody has; beyond, somebody is playing.
MOST_HOPS = 16
# The longest way to write an address and a port: [xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:255.255.255.255]:65535.
_LONGEST_HOP = 53


class NetworkError(ValueError):
    """A text is no network; the sentence says what is accepted."""


@lru_cache(maxsize=4096)
def address_of(text: str) -> Address | None:
    """Return the address that a text is, an IPv4 one inside IPv6 as IPv4; None when it is none."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        # A zone means something on one link of one machine only.
        return IPv6Address(int(found)) if found.scope_id is not None else found
    return found


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks, each given as an address or in CIDR form.

    Raises:
        NetworkError: one is neither, or has bits set beyond its length.

    """
    return tuple(_network(text) for text in texts)


def proxies_of(text: str) -> tuple[Network, ...]:
    """Return the networks of our own proxies, given with commas between them.

    Raises:
        NetworkError: one is no network, or is every address there is, which would let everybody say where they are.

    """
    words = [word for word in (each.strip() for each in text.split(",")) if word]
    if "*" in words:
        raise NetworkError("'*' would believe everybody; name the networks of your proxies, like 10.0.0.0/8")
    found = networks_of(words)
    if any(each.prefixlen == 0 for each in found):
        raise NetworkError("a network of every address would believe everybody; name the networks of your proxies")
    return found


def is_inside(address: Address | None, networks: Sequence[Network]) -> bool:
    """Say whether an address is in one of the networks; an unknown one is in none."""
    return address is not None and any(address in network for network in networks)


def are_inside(networks: Sequence[Network], others: Sequence[Network]) -> bool:
    """Say whether whatever is in some networks is in others too. No networks at all are every address."""
    if not others:
        return True
    # Neighbours become one first, so that a network may lie in two of them together.
    v4 = tuple(collapse_addresses(each for each in others if isinstance(each, IPv4Network)))
    v6 = tuple(collapse_addresses(each for each in others if isinstance(each, IPv6Network)))
    return bool(networks) and all(
        any(each.subnet_of(other) for other in v4)
        if isinstance(each, IPv4Network)
        else any(each.subnet_of(other) for other in v6)
        for each in networks
    )


def client_address(peer: str | None, forwarded: Sequence[str], *, proxies: Sequence[Network]) -> Address | None:
    """Return who asked: the socket's peer, or behind our own proxies what the right-most of them saw that is not one.

    `forwarded` are the values of `X-Forwarded-For`, in the order of the headers. None where that cannot be known: a hop
    that ought to be an address is none, or the chain is longer than any that is real.
    """
    client = None if peer is None else address_of(peer)
    if not proxies or not is_inside(client, proxies) or not forwarded:
        return client
    # No further than that is looked at, however long the header is.
    hops = ",".join(forwarded).rsplit(",", MOST_HOPS)
    is_cut = len(hops) > MOST_HOPS
    for hop in reversed(hops[is_cut:]):
        client = _hop(hop.strip(" \t"))
        if client is None or not is_inside(client, proxies):
            return client
    return None if is_cut else client


def _hop(text: str) -> Address | None:
    """Return the address in one hop, which may have a port: `a.b.c.d:port`, `[v6]`, `[v6]:port`."""
    if len(text) > _LONGEST_HOP:
        return None
    host, port = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            return None
        port = rest[1:] if rest else ""
        if rest == ":":
            return None
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        if not port:
            return None
    if port and not (port.isascii() and port.isdigit()):
        return None
    return address_of(host)


def _network(text: str) -> Network:
    try:
        found = ip_network(text)
    except ValueError:
        raise NetworkError(
            f"{text[:60]!r} is not an address or a network in CIDR form, like 203.0.113.7 or 2001:db8::/32, "
            "with no bits set beyond its length"
        ) from None
    mapped = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
    if mapped is None or found.prefixlen < _MAPPED_BITS:
        return found
    return IPv4Network((mapped, found.prefixlen - _MAPPED_BITS))


_MAPPED_BITS = 96
