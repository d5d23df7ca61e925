"""What came of sending a webhook to its target: an answer, or the reason why there is none."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class TargetFailure(StrEnum):
    """Why a target gave no answer."""

    URL_REFUSED = "url_refused"
    NAME_NOT_FOUND = "name_not_found"
    ADDRESS_REFUSED = "address_refused"
    NOT_CONNECTED = "not_connected"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    CONNECTION_LOST = "connection_lost"
    NOT_HTTP = "not_http"
    NO_CONNECTION_FREE = "no_connection_free"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A target's answer: its status, the first of its body as text, and when it asks to be tried again."""

    status: int
    head: str
    latency_ms: int
    retry_after_s: int | None = None

    @property
    def is_success(self) -> bool:
        """Say whether the webhook was taken: any 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the range is the meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No answer: why, in a word for programs and a sentence for the account. Neither names an address."""

    kind: TargetFailure
    detail: str
    latency_ms: int


TargetAnswer: TypeAlias = Answered | Failed
