"""Which addresses are public: every block of IANA's registries is not, and all between them are."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rules.webhooks.addresses import Address, ipv4_inside, why_not_public
from tests.security.special import PUBLIC, SPECIAL, V4, wrapped

# The registries themselves, as they are printed, with every nested block, and multicast beside them.
REGISTRY_V4 = (
    *("0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32"),
    *("192.0.0.171/32", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32"),
    *("192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4"),
    *("255.255.255.255/32", "224.0.0.0/4"),
)
REGISTRY_V6 = (
    *("::1/128", "::/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128"),
    *("2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28"),
    *("2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16"),
    *("fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
)
NEIGHBOURS = (
    *("1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"),
    *("169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0"),
    *("192.31.195.255", "192.31.197.0", "192.52.192.255", "192.52.194.0", "192.88.98.255", "192.88.100.0"),
    *("192.167.255.255", "192.169.0.0", "192.175.47.255", "192.175.49.0", "198.17.255.255", "198.20.0.0"),
    *("198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255"),
    *(
        "2001:200::",
        "2001:db7:ffff::",
        "2001:db9::",
        "2003::",
        "2620:4f:7fff::",
        "2620:4f:8001::",
        "3ffe::",
        "3fff:1000::",
    ),
)


@pytest.mark.parametrize("text", SPECIAL)
def test_a_special_address_is_not_public(text: str) -> None:
    assert why_not_public(ip_address(text)) is not None


def test_there_are_at_least_39_of_them() -> None:
    assert len(set(SPECIAL)) >= 39


def test_the_standard_library_takes_a_dozen_of_them_or_more() -> None:
    taken = {text for text in SPECIAL if ip_address(text).is_global}

    assert len(taken) >= 12
    assert {"192.88.99.1", "224.0.0.1", "64:ff9b::127.0.0.1", "fec0::1", "ff0e::1"} <= taken


@pytest.mark.parametrize("block", REGISTRY_V4 + REGISTRY_V6)
def test_a_registered_block_is_refused_from_its_first_address_to_its_last(block: str) -> None:
    network = IPv6Network(block) if ":" in block else IPv4Network(block)

    assert why_not_public(network[0]) is not None
    assert why_not_public(network[-1]) is not None


@pytest.mark.parametrize("text", PUBLIC + NEIGHBOURS)
def test_an_address_of_a_host_on_the_internet_is_public(text: str) -> None:
    assert why_not_public(ip_address(text)) is None


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6, network="2000::/3")))
def test_nothing_is_public_that_the_standard_library_calls_private_or_multicast(address: Address) -> None:
    assume(why_not_public(address) is None)

    assert address.is_global
    assert not address.is_multicast


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_outside_global_unicast_is_public_only_for_the_ipv4_host_inside(address: IPv6Address) -> None:
    assume(address not in IPv6Network("2000::/3"))
    inner = ipv4_inside(address)

    assert (why_not_public(address) is None) == (inner is not None and why_not_public(inner) is None)


@given(st.ip_addresses(v=4))
def test_mapped_and_nat64_are_judged_by_what_is_inside(inner: IPv4Address) -> None:
    mapped, nat64 = wrapped(str(inner))[0], wrapped(str(inner))[3]

    assert why_not_public(mapped) == why_not_public(nat64) == why_not_public(inner)


@pytest.mark.parametrize("text", V4)
def test_no_wrapping_makes_a_special_address_public(text: str) -> None:
    assert [each for each in wrapped(text) if why_not_public(each) is None] == []


def test_an_address_with_a_zone_is_one_of_an_interface_and_not_public() -> None:
    assert why_not_public(IPv6Address("2606:4700:4700::1111%eth0")) is not None
