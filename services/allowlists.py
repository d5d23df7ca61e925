"""Allowlists of keys and of operators: what is one, and whether it would lock out who sets it."""

from domain.errors import AllowlistLocksOutError, InvalidRequestError
from rules.addresses import NetworkError, address_of, is_inside, networks_of

MAX_NETWORKS = 50


def ensure_networks(allowlist: tuple[str, ...]) -> None:
    """Let a list pass that is one of networks.

    Raises:
        InvalidRequestError: it is not; the sentence says what is accepted.

    """
    if len(allowlist) > MAX_NETWORKS:
        raise InvalidRequestError(f"allowlist: at most {MAX_NETWORKS} networks.")
    try:
        networks_of(allowlist)
    except NetworkError as error:
        raise InvalidRequestError(f"allowlist: {error}.") from None


def ensure_not_locked_out(address: str | None, allowlist: tuple[str, ...]) -> None:
    """Let a list pass that lets its own setter in, from where they are now.

    Raises:
        AllowlistLocksOutError: it does not.

    """
    found = None if address is None else address_of(address)
    if allowlist and not is_inside(found, networks_of(allowlist)):
        raise AllowlistLocksOutError(
            f"With this allowlist you could no longer call from {address}, your address as we see it. "
            'Add it, or send "allow_lockout": true if you mean it.',
            fields={"address": address},
        )
