"""How the sandbox says no: one exception, one JSON form."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class RefusedError(Exception):
    """A request the sandbox does not take: an HTTP status, a code for programs, a sentence for people."""

    def __init__(self, detail: str, *, status: int, code: str) -> None:
        """Keep the sentence, the status and the code."""
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code = code


def refusal(*, status: int, code: str, detail: str) -> JSONResponse:
    """Return a no, in the form that carriers and tools share."""
    return JSONResponse({"code": code, "detail": detail}, status_code=status)


async def answer_refused(_request: Request, error: Exception) -> Response:
    """Turn a `RefusedError` into its answer; Starlette hands over nothing else, but types it wider."""
    if not isinstance(error, RefusedError):
        raise error
    return refusal(status=error.status, code=error.code, detail=error.detail)
