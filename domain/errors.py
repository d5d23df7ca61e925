"""Every refusal the product can give, each with a stable code, an HTTP status and a sentence that says what to do.

What is wrong with a request before anybody has asked what it wants is in `domain/request_errors.py`; refusals about
sender numbers and pools are in `domain/number_errors.py`.

DomainError
├── UnauthenticatedError           401  unauthenticated
├── SandboxOnlyError               403  sandbox-only
├── InsufficientScopeError         403  insufficient-scope
├── AddressNotAllowedError         403  address-not-allowed
├── AccountSuspendedError          403  account-suspended
├── AccountClosedError             403  account-closed
├── NotFoundError                  404  not-found
├── VerificationFinishedError      409  verification-finished
├── TooManyWebhooksError           409  too-many-webhooks
├── WebhookDisabledError           409  webhook-disabled
├── RotationInProgressError        409  rotation-in-progress
├── IdempotencyInFlightError       409  idempotency-in-flight
├── InvalidRequestError            422  invalid-request
├── AllowlistLocksOutError         422  allowlist-locks-out
├── InvalidNumberError             422  invalid-number
├── UnknownCountryError            422  unknown-country
├── NumberTypeError                422  number-type-not-allowed
├── NoRouteError                   422  no-route
├── InvalidTargetError             422  invalid-target
├── InvalidSecretError             422  invalid-webhook-secret
├── EncodingRefusedError           422  encoding-refused
├── IdempotencyMismatchError       422  idempotency-key-reused
├── TooSoonError                   429  too-soon
├── NumberLimitError               429  number-limit
├── NumberLockedError              429  number-locked
├── CheckTooSoonError              429  check-too-soon
├── CheckBudgetError               429  check-budget-exhausted
├── AccountSendLimitError          429  account-send-limit
├── RateLimitedError               429  rate-limited
├── AuthenticationThrottledError   429  authentication-throttled
├── TooManyStreamsError            429  too-many-streams
├── InternalError                  500  internal-error
├── TemporalUnavailableError       503  temporal-unavailable
├── DatabaseUnavailableError       503  database-unavailable
├── LimitsUnavailableError         503  limits-unavailable
├── KeysUnavailableError           503  keys-unavailable
└── SandboxUnavailableError        503  sandbox-unavailable
"""

import math
from collections.abc import Mapping
from typing import ClassVar, TypeAlias

FieldValue: TypeAlias = str | int | bool | list[str] | list[dict[str, str]] | None


class DomainError(Exception):
    """A refusal. `detail` is for a person, `code` for a program, `fields` are further members of the problem."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "Refused"

    def __init__(
        self,
        detail: str,
        *,
        retry_after_s: float | None = None,
        fields: Mapping[str, FieldValue] | None = None,
        challenge: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the sentence, the seconds until another try may work, and the problem's further members.

        `challenge` are the parameters of `WWW-Authenticate: Bearer` (RFC 6750), where a credential would help.
        """
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = None if retry_after_s is None else max(1, math.ceil(retry_after_s))
        self.fields: dict[str, FieldValue] = dict(fields or {})
        self.challenge: dict[str, str] = dict(challenge or {})


class UnauthenticatedError(DomainError):
    """No key, or one that is not known."""

    code, status, title = "unauthenticated", 401, "A valid API key is needed"


class SandboxOnlyError(DomainError):
    """A sandbox tool was called with a key of another environment."""

    code, status, title = "sandbox-only", 403, "Only sandbox keys may do this"


class InsufficientScopeError(DomainError):
    """The caller is known, and was not given the power to do this."""

    code, status, title = "insufficient-scope", 403, "The caller may not do this"


class AddressNotAllowedError(DomainError):
    """The key is good, and may not be used from where the request came from."""

    code, status, title = "address-not-allowed", 403, "The key may not be used from this address"


class AccountSuspendedError(DomainError):
    """The account may send nothing for now; codes already sent can be checked."""

    code, status, title = "account-suspended", 403, "The account may not send"


class AccountClosedError(DomainError):
    """The account is closed; nothing works with its keys."""

    code, status, title = "account-closed", 403, "The account is closed"


class NotFoundError(DomainError):
    """Nothing of this account has this id, or the path does not exist."""

    code, status, title = "not-found", 404, "Not found"


class VerificationFinishedError(DomainError):
    """The verification has reached its end state."""

    code, status, title = "verification-finished", 409, "The verification is finished"


class TooManyWebhooksError(DomainError):
    """The account has as many webhooks as it may have."""

    code, status, title = "too-many-webhooks", 409, "The account has enough webhooks"


class WebhookDisabledError(DomainError):
    """The webhook is sent nothing until it is enabled."""

    code, status, title = "webhook-disabled", 409, "The webhook is disabled"


class RotationInProgressError(DomainError):
    """The secret was replaced a moment ago, and the one before it was promised to sign for a while yet."""

    code, status, title = "rotation-in-progress", 409, "The secret is being replaced already"


class IdempotencyInFlightError(DomainError):
    """The first request with this Idempotency-Key has not been answered yet."""

    code, status, title = "idempotency-in-flight", 409, "The first request with this key is still being answered"


class InvalidRequestError(DomainError):
    """A field is missing, unknown or not of the accepted form."""

    code, status, title = "invalid-request", 422, "The request is not valid"


class AllowlistLocksOutError(DomainError):
    """With this allowlist the caller could not call again from where it is."""

    code, status, title = "allowlist-locks-out", 422, "The allowlist would lock you out"


class InvalidNumberError(DomainError):
    """The number is not strict E.164, or cannot exist."""

    code, status, title = "invalid-number", 422, "The number is not valid"


class UnknownCountryError(DomainError):
    """There is no such country, or the number belongs to none."""

    code, status, title = "unknown-country", 422, "The country is not known"


class NumberTypeError(DomainError):
    """The kind of number cannot receive the message, or costs its holder money."""

    code, status, title = "number-type-not-allowed", 422, "This kind of number is not accepted"


class NoRouteError(DomainError):
    """No pool of this instance serves the number's country."""

    code, status, title = "no-route", 422, "No route to this country"


class InvalidTargetError(DomainError):
    """The URL is not one that webhooks are sent to."""

    code, status, title = "invalid-target", 422, "Webhooks are not sent to this URL"


class InvalidSecretError(DomainError):
    """The secret is not of the form that webhooks are signed with."""

    code, status, title = "invalid-webhook-secret", 422, "The signing secret is not of the accepted form"


class EncodingRefusedError(DomainError):
    """Somebody asked to have payloads sealed, which the product's own processes alone do."""

    code, status, title = "encoding-refused", 422, "Payloads are decoded only"


class IdempotencyMismatchError(DomainError):
    """The Idempotency-Key was used before with another body."""

    code, status, title = "idempotency-key-reused", 422, "The Idempotency-Key belongs to another request"


class TooSoonError(DomainError):
    """The next message to this number is not allowed yet."""

    code, status, title = "too-soon", 429, "Too soon for another message"


class NumberLimitError(DomainError):
    """The number has had as many messages as it may in the time."""

    code, status, title = "number-limit", 429, "The number has had enough messages"


class NumberLockedError(DomainError):
    """Too many wrong codes in a row were tried for the number."""

    code, status, title = "number-locked", 429, "The number is locked"


class CheckTooSoonError(DomainError):
    """The next check for this number is not allowed yet."""

    code, status, title = "check-too-soon", 429, "Too soon for another check"


class CheckBudgetError(DomainError):
    """The account, or the instance, has had too many wrong checks this hour."""

    code, status, title = "check-budget-exhausted", 429, "Too many wrong checks this hour"


class AccountSendLimitError(DomainError):
    """The account has sent as many messages today as it may."""

    code, status, title = "account-send-limit", 429, "The account has sent its messages for today"


class RateLimitedError(DomainError):
    """The key, or its account, has made too many requests."""

    code, status, title = "rate-limited", 429, "Too many requests"


class AuthenticationThrottledError(DomainError):
    """Too many requests from this address came with a credential that is not one of ours."""

    code, status, title = "authentication-throttled", 429, "Too many wrong credentials from this address"


class TooManyStreamsError(DomainError):
    """The account, or the process, has as many event streams open as it may have."""

    code, status, title = "too-many-streams", 429, "Too many event streams"


class InternalError(DomainError):
    """Something failed that should not have; the log has the rest."""

    code, status, title = "internal-error", 500, "Something went wrong on our side"


class TemporalUnavailableError(DomainError):
    """The workflow service did not answer in time; nothing was started."""

    code, status, title = "temporal-unavailable", 503, "The workflow service is away"


class DatabaseUnavailableError(DomainError):
    """The database did not answer; nothing was changed."""

    code, status, title = "database-unavailable", 503, "The database is away"


class LimitsUnavailableError(DomainError):
    """Requests cannot be counted, so none that changes something is let through."""

    code, status, title = "limits-unavailable", 503, "Requests cannot be counted"


class KeysUnavailableError(DomainError):
    """A key in the database cannot be unwrapped now: its key-encryption key is away, or not among ours."""

    code, status, title = "keys-unavailable", 503, "A key cannot be unwrapped"


class SandboxUnavailableError(DomainError):
    """The sandbox carriers do not answer."""

    code, status, title = "sandbox-unavailable", 503, "The sandbox carriers are away"
