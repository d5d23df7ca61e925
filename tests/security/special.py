"""Addresses that no webhook may reach: one or two of every block in IANA's registries, and each way to hide IPv4."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

V4 = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
    *("172.16.0.1", "192.0.0.1", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.2.1"),
    *("192.31.196.1", "192.52.193.1", "192.88.99.1", "192.88.99.2", "192.168.0.1", "192.175.48.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
)
V6 = (
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1"),
    *("64:ff9b::169.254.169.254", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:1::1", "2001:1::2"),
    *("2001:1::3", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::1", "2001:30::1"),
    *("2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::1"),
    *("fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1"),
)
SPECIAL = V4 + V6
PUBLIC = ("93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4009::1", "::ffff:8.8.8.8")


def wrapped(text: str) -> list[IPv6Address]:
    """Return the IPv6 addresses that have an IPv4 one inside."""
    inner = int(IPv4Address(text))
    return [
        IPv6Address(0xFFFF << 32 | inner),  # mapped
        IPv6Address(inner),  # compatible
        IPv6Address(0xFFFF << 48 | inner),  # translated (SIIT)
        IPv6Address(int(IPv6Address("64:ff9b::")) | inner),  # NAT64
        IPv6Address(int(IPv6Address("64:ff9b:1::")) | inner),  # NAT64 of one's own
        IPv6Address(0x2002 << 112 | inner << 80 | 1),  # 6to4
        IPv6Address(0x20010000 << 96 | int(IPv4Address("8.8.8.8")) << 64 | inner ^ 0xFFFFFFFF),  # Teredo's client
        IPv6Address(0x20010000 << 96 | inner << 64 | int(IPv4Address("8.8.8.8")) ^ 0xFFFFFFFF),  # Teredo's server
    ]


def spellings(text: str) -> Iterator[str]:
    """Yield how else an IPv4 address is written in URLs, beside its four decimal numbers."""
    number, (a, b, c, d) = int(IPv4Address(text)), (int(part) for part in text.split("."))
    yield from (str(number), hex(number), f"0{number:o}", hex(number).upper())
    yield from (f"{a}.{b}.{c << 8 | d}", f"{a}.{b << 16 | c << 8 | d}", f"0x{a:x}.{b << 16 | c << 8 | d}")
    yield from (f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}", f"{a}.{b}.{c}.0x{d:x}")
    yield from (f"{a:03}.{b:03}.{c:03}.{d:03}", f"00{text}", f"{text}.", f"{number}.", f"{a}.{b}.{c}.{d}.0")
    yield from (f"{a}%2e{b}.{c}.{d}", f"{a}。{b}。{c}。{d}", "".join(chr(ord(x) + 0xFEE0) for x in text), f"[{text}]")
    yield from (f"[::ffff:{text}]", f"[::{text}]", f"[64:ff9b::{text}]", f"[::ffff:{text}%25lo]", f"[::ffff:{text}%lo]")


def literal(text: str) -> str:
    """Return an address as a URL's host."""
    return f"[{text}]" if ":" in text else text
