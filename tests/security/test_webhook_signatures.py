"""Signatures of webhooks: the published vector, the reference package, and what a receiver refuses."""

import base64
import json
import time
from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from domain.errors import InvalidSecretError
from security.webhook_signatures import check_secret, new_private_key, new_secret, public_key, sign, signed_headers

BODY = b'{"type":"verification.approved","data":{"reason":"code_proved"}}'
MESSAGE = "evt_01890a5d"


def headers_of(keys: list[str], *, body: bytes = BODY, at: float | None = None) -> dict[str, str]:
    return signed_headers(keys, message_id=MESSAGE, timestamp=int(at or time.time()), body=body)


def is_taken(secret: str, headers: dict[str, str], *, body: bytes = BODY) -> bool:
    """Say whether the reference package takes a webhook."""
    try:
        taken = Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    assert taken == json.loads(body)
    return True


def test_the_published_vector_is_met() -> None:
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"

    signature = sign([secret], message_id=message, timestamp=1614265330, body=b'{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=5))
def test_the_reference_package_takes_what_is_signed_with_any_secret(key: bytes, event: dict[str, str]) -> None:
    secret, body = f"whsec_{base64.b64encode(key).decode()}", json.dumps(event, ensure_ascii=False).encode()

    assert is_taken(secret, headers_of([secret], body=body), body=body)


def test_during_a_rotation_the_old_secret_and_the_new_one_both_verify_and_a_third_does_not() -> None:
    old, new = new_secret(), new_secret()

    headers = headers_of([new, old])

    assert [is_taken(secret, headers) for secret in (new, old, new_secret())] == [True, True, False]
    assert headers["webhook-signature"].count(" ") == 1


def test_a_retry_has_the_same_id_and_another_time_and_signature() -> None:
    secret, now = new_secret(), time.time()

    first, second = headers_of([secret], at=now - 5), headers_of([secret], at=now)

    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert first["webhook-signature"] != second["webhook-signature"]
    assert is_taken(secret, first)
    assert is_taken(secret, second)


SPOILT: dict[str, Callable[[dict[str, str]], None]] = {
    "an id that is missing": lambda headers: headers.__delitem__("webhook-id"),
    "a time that is missing": lambda headers: headers.__delitem__("webhook-timestamp"),
    "a signature that is missing": lambda headers: headers.__delitem__("webhook-signature"),
    "another id": lambda headers: headers.update({"webhook-id": "evt_2"}),
    "another time": lambda headers: headers.update({"webhook-timestamp": str(int(time.time()) - 60)}),
    "an unknown version": lambda headers: headers.update(
        {"webhook-signature": headers["webhook-signature"].replace("v1,", "v2,")}
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_receiver_refuses(name: str) -> None:
    secret = new_secret()
    headers = headers_of([secret])
    assert is_taken(secret, headers)

    SPOILT[name](headers)

    assert not is_taken(secret, headers)


@pytest.mark.parametrize("shift_s", [-301, 302])
def test_a_receiver_refuses_what_is_old_or_of_the_future(shift_s: int) -> None:
    secret = new_secret()

    assert not is_taken(secret, headers_of([secret], at=time.time() + shift_s))
    assert is_taken(secret, headers_of([secret], at=time.time() + shift_s * 0.9))


def test_a_receiver_refuses_a_changed_body_and_another_secret() -> None:
    secret = new_secret()
    headers = headers_of([secret])

    assert not is_taken(secret, headers, body=BODY.replace(b"approved", b"canceled"))
    assert not is_taken(new_secret(), headers)


def test_an_ed25519_signature_stands_beside_the_shared_one_and_is_verified_with_the_public_key() -> None:
    shared, private = new_secret(), new_private_key()
    headers = headers_of([shared, private])
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key(private).removeprefix("whpk_")))

    version, _, signature = headers["webhook-signature"].split(" ")[1].partition(",")

    content = f"{MESSAGE}.{headers['webhook-timestamp']}.".encode() + BODY
    assert version == "v1a"
    public.verify(base64.b64decode(signature), content)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), content + b" ")
    assert is_taken(shared, headers)


def test_new_keys_are_new_and_say_what_they_are() -> None:
    assert new_secret() != new_secret()
    assert new_private_key() != new_private_key()
    assert new_secret().startswith("whsec_")
    assert new_private_key().startswith("whsk_")
    check_secret(new_secret())


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_of_an_account_s_own_may_have_24_to_64_bytes(size: int) -> None:
    check_secret(f"whsec_{base64.b64encode(bytes(size)).decode()}")


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "secret",
        f"whsec_{base64.b64encode(bytes(23)).decode()}",
        f"whsec_{base64.b64encode(bytes(65)).decode()}",
        f"whsk_{base64.b64encode(bytes(32)).decode()}",
        base64.b64encode(bytes(32)).decode(),
        f"whsec_{base64.b64encode(bytes(32)).decode().rstrip('=')}",
        "whsec_" + base64.urlsafe_b64encode(bytes([255]) * 32).decode(),
        f"whsec_ {base64.b64encode(bytes(32)).decode()}",
        f"whsec_{'é' * 40}",
    ],
)
def test_another_secret_is_refused_with_what_is_accepted_and_is_not_repeated(secret: str) -> None:
    with pytest.raises(InvalidSecretError, match="24 to 64 random bytes in base64") as refused:
        check_secret(secret)

    assert len(secret) < 10 or secret not in refused.value.detail


@pytest.mark.parametrize("message_id", ["", "evt.1", "evt 1", "evt_1\n", "é", "a" * 129])
def test_an_id_that_could_be_read_as_something_else_is_never_signed(message_id: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        sign([new_secret()], message_id=message_id, timestamp=1, body=b"")


def test_nothing_is_sent_without_a_signature() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        sign([], message_id=MESSAGE, timestamp=1, body=b"")
