"""Where webhooks may be sent: which URLs are accepted, and the parts of one that is.

Pure. A URL is taken apart once, here, by the narrowest grammar that real receivers need; what connects and what is
sent is made of the parts. So no second parser can see another host in the same text.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address
from typing import NoReturn

from domain.errors import InvalidTargetError
from rules.webhooks.addresses import why_not_public

MAX_URL_CHARS = 2_048
# HTTPS and its usual alternative: a webhook must not be able to talk to other services.
PORTS = frozenset({443, 8443})
ACCEPTED = "Send an https URL on port 443 or 8443, such as https://hooks.example.com/countersign."

_MAX_NAME_CHARS = 253
_MAX_PORT = 65_535
# RFC 3986 has no place for the others: some readers correct them, and not all in the same way.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_FORM = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?]*)(?P<path>.*)", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>.*))?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# A host whose last label looks like this is an IPv4 address to many readers (octal, hexadecimal, short forms).
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
# RFC 6761, RFC 6762, RFC 7686 and ICANN's `internal`: never found in the public DNS.
_NEVER_PUBLIC = frozenset({"localhost", "local", "internal", "onion", "invalid"})
# Not `is_loopback` of the standard library: from one release to the next, mapped addresses came to be among them.
_LOOPBACK_V4, _LOOPBACK_V6 = IPv4Network("127.0.0.0/8"), IPv6Address("::1")
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPolicy:
    """Which targets an instance accepts; a demonstration may also send to its own machine, in clear and to any port."""

    ports: frozenset[int] = PORTS
    is_loopback_allowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An accepted URL in its parts: a host in lower case (an IPv6 address without brackets), a path with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return host and port as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the URL in its one spelling."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_target(url: str, *, policy: TargetPolicy) -> Target:
    """Return the parts of a URL that webhooks may be sent to.

    Raises:
        InvalidTargetError: they may not; the sentence says why, and what is accepted.

    """
    _refuse_characters(url)
    form = _FORM.fullmatch(url) or _refuse("A webhook's URL begins with https://.")
    if "@" in form["authority"]:
        _refuse("A webhook's URL has no user name or password in it.")
    split = _AUTHORITY.fullmatch(form["authority"]) or _refuse("The host of the URL cannot be read.")
    scheme, host = form["scheme"].lower(), _host(split["host"].lower(), policy=policy)
    is_own_machine = policy.is_loopback_allowed and is_loopback(host)
    if scheme == "http" and not is_own_machine:
        _refuse("A webhook is sent over https only.")
    port = _DEFAULT_PORTS[scheme] if split["port"] is None else _port(split["port"])
    if port not in policy.ports and not is_own_machine:
        _refuse(f"A webhook is not sent to port {port}.")
    path = form["path"]
    return Target(scheme=scheme, host=host, port=port, path=path if path.startswith("/") else f"/{path}")


def is_loopback(host: str) -> bool:
    """Say whether a target's host is this machine, whatever a resolver might say."""
    if host == "localhost":
        return True
    try:
        return IPv6Address(host) == _LOOPBACK_V6 if ":" in host else IPv4Address(host) in _LOOPBACK_V4
    except AddressValueError:
        return False


def _refuse_characters(url: str) -> None:
    if len(url) > MAX_URL_CHARS:
        _refuse(f"A webhook's URL has {MAX_URL_CHARS:,} characters at most; this one has {len(url):,}.")
    if not url.isascii():
        _refuse(
            "A webhook's URL is plain ASCII: a name in other letters is in its xn-- form, and any other character is "
            "written as %XX."
        )
    if not _CHARACTERS.fullmatch(url):
        _refuse("The URL has a space, a control character or another one that no URL has; in a path write it as %XX.")
    if "#" in url:
        _refuse("A webhook's URL has no fragment (#…): it would not be sent.")


def _host(text: str, *, policy: TargetPolicy) -> str:
    """Return a host in its one spelling."""
    if text.startswith("["):
        # Python's class also takes a zone (%eth0), which would name an interface of this machine.
        return _literal(text[1:-1].replace("%", " "), policy=policy)
    labels = text.split(".")
    if _NUMERIC.fullmatch(labels[-1]) or (text.endswith(".") and _NUMERIC.fullmatch(labels[-2])):
        return _literal(text, policy=policy)
    if policy.is_loopback_allowed and text == "localhost":
        return text
    return _name(text, labels)


def _name(text: str, labels: list[str]) -> str:
    if len(text) > _MAX_NAME_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        _refuse(
            "The host is not a name in the DNS: labels of letters, digits and inner hyphens, 63 characters at most "
            "each and 253 together, with dots between them and none at the end."
        )
    if len(labels) == 1 or labels[-1] in _NEVER_PUBLIC:
        _refuse("The host is not a name of the public internet.")
    return text


def _literal(text: str, *, policy: TargetPolicy) -> str:
    """Return an address in its one spelling; no other spelling than the usual ones is read."""
    try:
        address = IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        _refuse("The host looks like an address but is not one: write 93.184.216.34 or [2606:2800:21f::1].")
    reason = why_not_public(address)
    if reason is not None and not (policy.is_loopback_allowed and is_loopback(str(address))):
        _refuse(f"The host is {reason}; webhooks are sent to hosts on the public internet.")
    return str(address)


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > _MAX_PORT:
        _refuse("The port of the URL is not a number between 1 and 65535.")
    return int(text)


def _refuse(why: str) -> NoReturn:
    raise InvalidTargetError(f"{why} {ACCEPTED}")
