"""What the sandbox accepts in a body, and the sentence it answers when the body is something else."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic import Field as Bounded
from starlette.requests import Request

from domain.sandbox import SandboxBehaviour
from sandbox.refusals import RefusedError

MAX_BODY_BYTES = 64 * 1024

E164 = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$")]
Account = Annotated[str, StringConstraints(pattern=r"^acc_[0-9a-f]{32}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^att_[0-9a-f]{32}$")]
# The longest text that ten concatenated GSM-7 parts hold.
Text = Annotated[str, StringConstraints(min_length=1, max_length=1530)]


class NewMessage(BaseModel):
    """A message a carrier is handed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: Reference
    to: E164
    sender: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    text: Text
    validity_s: Annotated[int, Bounded(ge=1, le=172_800)]
    # On whose behalf: its orders are the ones that count.
    account: Account | None = None


class NewBehaviour(BaseModel):
    """What a carrier is told to do, for how many messages, to which number; for which account's, or everybody's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    behaviour: SandboxBehaviour
    latency_ms: Annotated[int, Bounded(ge=0, le=60_000)] = 0
    times: Annotated[int, Bounded(ge=1, le=1_000_000)] | None = None
    to: E164 | None = None
    account: Account | None = None


class NumberReference(BaseModel):
    """Who wants a number: the product's own word for it, the same in every request about it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: Annotated[str, StringConstraints(pattern=r"^num_[0-9a-f]{32}$")]


Form = TypeVar("Form", bound=BaseModel)


async def read_form(request: Request, form: type[Form]) -> Form:
    """Return the body as the form, or raise `RefusedError`. At most 64 KiB are read."""
    body = await _read_bounded(request)
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError(_sentence(error), status=422, code="invalid") from None


async def _read_bounded(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise RefusedError(f"The body is longer than {MAX_BODY_BYTES} bytes.", status=413, code="too_large")
    return bytes(body)


def _sentence(error: ValidationError) -> str:
    """Say what is wrong with the first bad field. What was sent is not repeated: it may hold a code."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "body"
    return f"{place}: {first['msg']}."
