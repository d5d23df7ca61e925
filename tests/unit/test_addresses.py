"""Networks as they are given, and which proxies are believed."""

import pytest
from pydantic import ValidationError

from rules.addresses import NetworkError, address_of, client_address, is_inside, networks_of, proxies_of
from tests.building import settings


@pytest.mark.parametrize(
    "text", ["*", "10.0.0.0/8, *", "0.0.0.0/0", "::/0", "10.0.0.1/8", "proxy.example", "10.0.0.0/33"]
)
def test_proxies_that_would_believe_everybody_or_are_none_stop_the_process_with_a_sentence(text: str) -> None:
    with pytest.raises(NetworkError):
        proxies_of(text)
    with pytest.raises(ValidationError, match="COUNTERSIGN_TRUSTED_PROXIES"):
        settings(trusted_proxies=text)


def test_no_proxies_are_none() -> None:
    assert proxies_of("") == proxies_of(" , ") == ()


def test_a_mapped_network_is_the_one_that_it_maps() -> None:
    assert networks_of(["::ffff:10.0.0.0/104"]) == networks_of(["10.0.0.0/8"])
    assert is_inside(address_of("::ffff:10.1.2.3"), networks_of(["10.0.0.0/8"]))


def test_an_address_that_is_not_known_is_in_no_network() -> None:
    assert not is_inside(None, networks_of(["0.0.0.0/0", "::/0"]))


def test_a_peer_that_is_no_proxy_of_ours_speaks_for_itself_only() -> None:
    proxies = networks_of(["10.0.0.0/8"])

    assert str(client_address("192.0.2.1", ["203.0.113.7"], proxies=proxies)) == "192.0.2.1"
    assert str(client_address("::ffff:10.0.0.1", ["203.0.113.7"], proxies=proxies)) == "203.0.113.7"
    assert client_address(None, ["203.0.113.7"], proxies=proxies) is None


def test_addresses_of_version_6_are_compared_as_addresses_not_as_texts() -> None:
    proxies = networks_of(["fd00::/8"])
    found = client_address("fd00::1", ["2001:DB8:0:0::0007, [fd00::2]:80"], proxies=proxies)

    assert is_inside(found, networks_of(["2001:db8::7"]))
