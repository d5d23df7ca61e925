"""Which addresses are on the public internet: one host, reachable from anywhere.

Pure. The tables are IANA's registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890 and its updates, as of
November 2026), multicast, and what is deprecated. The standard library's `is_global` answers another question: it
takes multicast, the anycast addresses of protocols and some addresses that wrap a private one.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

# A part of a registered block is not listed again, whatever it is for: the anycast addresses inside 192.0.0.0/24 and
# 2001::/23 are marked as reachable there, but what answers at them is a protocol's nearest relay and nobody's server.
_SPECIAL_V4 = {
    IPv4Network("0.0.0.0/8"): "an address of this host",
    IPv4Network("10.0.0.0/8"): "a private address",
    IPv4Network("100.64.0.0/10"): "an address that a carrier's customers share",
    IPv4Network("127.0.0.0/8"): "a loopback address",
    IPv4Network("169.254.0.0/16"): "a link-local address",
    IPv4Network("172.16.0.0/12"): "a private address",
    IPv4Network("192.0.0.0/24"): "an address for protocols",
    IPv4Network("192.0.2.0/24"): "an address for documentation",
    IPv4Network("192.31.196.0/24"): "an anycast address of AS112",
    IPv4Network("192.52.193.0/24"): "an anycast address of multicast tunnels",
    IPv4Network("192.88.99.0/24"): "an anycast address of 6to4 relays",
    IPv4Network("192.168.0.0/16"): "a private address",
    IPv4Network("192.175.48.0/24"): "an anycast address of AS112",
    IPv4Network("198.18.0.0/15"): "an address for benchmarks",
    IPv4Network("198.51.100.0/24"): "an address for documentation",
    IPv4Network("203.0.113.0/24"): "an address for documentation",
    IPv4Network("224.0.0.0/4"): "a multicast address",
    IPv4Network("240.0.0.0/4"): "a reserved address",
}
# All that IANA has allocated for global unicast lies in here; outside it everything is refused.
_UNICAST_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = {
    IPv6Network("2001::/32"): "a Teredo address",
    IPv6Network("2001::/23"): "an address for protocols",
    IPv6Network("2001:db8::/32"): "an address for documentation",
    IPv6Network("2002::/16"): "a 6to4 address",
    IPv6Network("2620:4f:8000::/48"): "an anycast address of AS112",
    IPv6Network("3fff::/20"): "an address for documentation",
}
_NAMED_V6 = {
    IPv6Network("::/128"): "an address of this host",
    IPv6Network("::1/128"): "a loopback address",
    IPv6Network("fc00::/7"): "a private address",
    IPv6Network("fe80::/10"): "a link-local address",
    IPv6Network("ff00::/8"): "a multicast address",
}
# RFC 6052: on networks without IPv4, how DNS writes the address of a host that has nothing else.
_NAT64 = IPv6Network("64:ff9b::/96")


def why_not_public(address: Address) -> str | None:
    """Return what an address is instead of one host's on the public internet, as "a private address"; None if it is.

    An IPv4 address inside an IPv6 one, mapped or of NAT64, is what counts. 6to4 and Teredo wrap one as well; both lead
    through somebody else's relay, and are refused whatever is inside.
    """
    match address:
        case IPv4Address():
            return next((name for block, name in _SPECIAL_V4.items() if address in block), None)
        case IPv6Address():
            inner = ipv4_inside(address)
            return _why_not_public_v6(address) if inner is None else why_not_public(inner)


def ipv4_inside(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 host that a mapped or a NAT64 address stands for, or None."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def _why_not_public_v6(address: IPv6Address) -> str | None:
    if address in _UNICAST_V6 and address.scope_id is None:
        return next((name for block, name in _SPECIAL_V6.items() if address in block), None)
    return next((name for block, name in _NAMED_V6.items() if address in block), "an address outside global unicast")
