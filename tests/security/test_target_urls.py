"""Which URLs webhooks may be sent to, and that every other is refused with a sentence."""

import string
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidTargetError
from rules.webhooks.addresses import Address, why_not_public
from rules.webhooks.targets import ACCEPTED, MAX_URL_CHARS, Target, TargetPolicy, is_loopback, parse_target
from tests.security.special import SPECIAL, V4, literal, spellings

STRICT, DEMO = TargetPolicy(), TargetPolicy(is_loopback_allowed=True)

TAKEN = {
    "https://hooks.example.com": Target(scheme="https", host="hooks.example.com", port=443, path="/"),
    "https://hooks.example.com/a?b=c&d=%23": Target(
        scheme="https", host="hooks.example.com", port=443, path="/a?b=c&d=%23"
    ),
    "https://hooks.example.com?b=@": Target(scheme="https", host="hooks.example.com", port=443, path="/?b=@"),
    "HTTPS://Hooks.Example.COM:8443/Path": Target(scheme="https", host="hooks.example.com", port=8443, path="/Path"),
    "https://xn--mnchen-3ya.example:443/": Target(scheme="https", host="xn--mnchen-3ya.example", port=443, path="/"),
    "https://93.184.216.34/": Target(scheme="https", host="93.184.216.34", port=443, path="/"),
    "https://[2606:4700:4700:0::1111]:8443/": Target(scheme="https", host="2606:4700:4700::1111", port=8443, path="/"),
}
REFUSED = {
    "": "begins with https",
    "hooks.example.com": "begins with https",
    "ftp://hooks.example.com/": "begins with https",
    "https:/hooks.example.com/": "begins with https",
    "//hooks.example.com/": "begins with https",
    "https:hooks.example.com": "begins with https",
    "javascript://hooks.example.com/": "begins with https",
    "file:///etc/passwd": "begins with https",
    "http://hooks.example.com/": "https only",
    "http://127.0.0.1/": "loopback address",
    "http://localhost/": "not a name of the public internet",
    "https://localhost/": "not a name of the public internet",
    "https://printer/": "not a name of the public internet",
    "https://api.localhost/": "not a name of the public internet",
    "https://db.internal/": "not a name of the public internet",
    "https://printer.local/": "not a name of the public internet",
    "https:///hooks.example.com/": "not a name in the DNS",
    "https://:443/": "not a name in the DNS",
    "https://.example.com/": "not a name in the DNS",
    "https://hooks..example.com/": "not a name in the DNS",
    "https://hooks.example.com./": "not a name in the DNS",
    "https://-hooks.example.com/": "not a name in the DNS",
    "https://hooks-.example.com/": "not a name in the DNS",
    "https://my_hooks.example.com/": "not a name in the DNS",
    "https://hooks%2eexample.com/": "not a name in the DNS",
    f"https://{'a' * 64}.example.com/": "not a name in the DNS",
    f"https://{'a.' * 125}example/": "not a name in the DNS",
    "https://user@hooks.example.com/": "no user name or password",
    "https://user:secret@hooks.example.com/": "no user name or password",
    "https://@hooks.example.com/": "no user name or password",
    "https://hooks.example.com@127.0.0.1/": "no user name or password",
    "https://hooks.example.com:443@127.0.0.1:443/": "no user name or password",
    "https://hooks.example.com\\@127.0.0.1/": "no URL has",
    "https://127.0.0.1\\.hooks.example.com/": "no URL has",
    "https://hooks.example.com/#top": "fragment",
    "https://127.0.0.1#@hooks.example.com/": "fragment",
    "https://hooks.example.com:80/": "port 80",
    "https://hooks.example.com:22/": "port 22",
    "https://hooks.example.com:8444/": "port 8444",
    "https://hooks.example.com:65536/": "between 1 and 65535",
    "https://hooks.example.com:0443/": "between 1 and 65535",
    "https://hooks.example.com:/": "between 1 and 65535",
    "https://hooks.example.com:0/": "between 1 and 65535",
    "https://hooks.example.com:+443/": "between 1 and 65535",
    "https://hooks.example.com:443:443/": "between 1 and 65535",
    "https://hooks.example.com:https/": "between 1 and 65535",
    "https://münchen.example/": "xn-- form",
    "https://hooks.example.com/münchen": "%XX",
    "https://hooks.ex\u0430mple.com/": "plain ASCII",
    "https://hooks.example.com/ a": "no URL has",
    " https://hooks.example.com/": "no URL has",
    "https://hooks.example.com/\n": "no URL has",
    "https://hooks.example.com\r\nHost: 127.0.0.1/": "no URL has",
    "https://hooks.example.com/\x00": "no URL has",
    "ht\ttps://hooks.example.com/": "no URL has",
    "https://[::1/": "cannot be read",
    "https://::1/": "not a name in the DNS",
    "https://[]/": "looks like an address",
    "https://[hooks.example.com]/": "looks like an address",
    "https://[2606:4700:4700::1111%25eth0]/": "looks like an address",
    "https://93.184.216.34./": "looks like an address",
    "https://93.184.216/": "looks like an address",
    "https://93.184.216.034/": "looks like an address",
    "https://93.184.216.0x22/": "looks like an address",
    "https://hooks.example.0x/": "looks like an address",
    "https://1572395042/": "looks like an address",
    f"https://hooks.example.com/{'a' * 3_000}": "2,048 characters",
}


@pytest.mark.parametrize("url", TAKEN)
def test_a_public_https_url_is_taken_apart(url: str) -> None:
    target = parse_target(url, policy=STRICT)

    assert target == TAKEN[url]
    assert parse_target(target.url, policy=STRICT) == target


@pytest.mark.parametrize("url", REFUSED)
def test_another_url_is_refused_with_why_and_with_what_is_accepted(url: str) -> None:
    with pytest.raises(InvalidTargetError) as refused:
        parse_target(url, policy=STRICT)

    assert REFUSED[url] in refused.value.detail
    assert refused.value.detail.endswith(ACCEPTED)


@pytest.mark.parametrize("text", SPECIAL)
def test_a_special_address_is_refused_by_what_it_is(text: str) -> None:
    with pytest.raises(InvalidTargetError, match=r"The host is an? "):
        parse_target(f"https://{literal(text)}/", policy=STRICT)


@pytest.mark.parametrize("text", V4)
def test_no_spelling_of_a_special_address_is_taken(text: str) -> None:
    for spelling in spellings(text):
        for policy in (STRICT, TargetPolicy(ports=frozenset(range(65_536)))):
            with pytest.raises(InvalidTargetError):
                parse_target(f"https://{spelling}/", policy=policy)


def test_the_longest_url_is_taken_and_one_character_more_is_not() -> None:
    longest = f"https://hooks.example.com/{'a' * MAX_URL_CHARS}"[:MAX_URL_CHARS]

    assert parse_target(longest, policy=STRICT).url == longest
    with pytest.raises(InvalidTargetError, match=r"2,048 characters at most; this one has 2,049"):
        parse_target(longest + "a", policy=STRICT)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/hooks",
        "http://localhost:9000/",
        "http://[::1]:9000/",
        "http://127.8.8.8/",
        "https://localhost:1/",
    ],
)
def test_a_demonstration_sends_to_its_own_machine_in_clear_and_to_any_port(url: str) -> None:
    target = parse_target(url, policy=DEMO)

    assert is_loopback(target.host)
    assert target.url == url
    with pytest.raises(InvalidTargetError):
        parse_target(url, policy=STRICT)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "http://10.0.0.1:9000/",
        "http://0.0.0.0:9000/",
        "http://[::]:9000/",
        "http://[::ffff:127.0.0.1]:9000/",
        "http://2130706433:9000/",
        "http://127.1:9000/",
        "http://localhost.:9000/",
        "http://api.localhost:9000/",
        "http://localhost.example.com:9000/",
        "https://hooks.example.com:9000/",
        "https://169.254.169.254/",
    ],
)
def test_a_demonstration_sends_nowhere_else(url: str) -> None:
    with pytest.raises(InvalidTargetError):
        parse_target(url, policy=DEMO)


ANY_TEXT = st.text(st.characters(), max_size=80)
URL_LIKE = st.text(st.sampled_from(string.ascii_lowercase[:4] + "0123456789.:/@[]%?#xX-\\ "), max_size=40)


@given(st.one_of(ANY_TEXT, URL_LIKE.map(lambda rest: f"https://{rest}")), st.sampled_from([STRICT, DEMO]))
def test_any_text_is_a_target_or_a_refusal_and_a_target_has_one_spelling(text: str, policy: TargetPolicy) -> None:
    try:
        target = parse_target(text, policy=policy)
    except InvalidTargetError:
        return

    assert parse_target(target.url, policy=policy) == target
    assert target.host.isascii()
    assert target.path.startswith("/")


LABEL = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=2, max_size=5).map(".".join)
PATH = st.text(st.sampled_from(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/?%"), max_size=60)


@given(NAME, st.sampled_from(["", ":443", ":8443"]), PATH)
def test_what_is_taken_has_the_same_host_and_port_for_the_standard_library(name: str, port: str, path: str) -> None:
    url = f"https://{name}{port}/{path}"
    try:
        target = parse_target(url, policy=STRICT)
    except InvalidTargetError:
        return

    seen = urlsplit(url)
    assert (target.host, target.port) == (seen.hostname, seen.port or 443)
    assert target.path == f"/{path}"


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_an_address_is_taken_if_and_only_if_it_is_public(address: Address) -> None:
    try:
        target = parse_target(f"https://{literal(str(address))}/", policy=STRICT)
    except InvalidTargetError:
        assert why_not_public(address) is not None
        return

    assert target.host == str(address)
    assert why_not_public(address) is None
