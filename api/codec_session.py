"""`/codec/session`: an operator signs a browser in to the codec, so that the Temporal UI can show payloads.

A page of the UI can send no bearer token of ours, only a cookie. This one is an operator's session like any other, but
it opens `/codec` alone, and only to pages of the Temporal UI's origin; everything else still asks for the header.
"""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from api.bodies import StrictRoute
from api.callers import CODEC_COOKIE, Caller, ThisApp
from api.problems import problems
from api.v1.session import SignInIn, signed_in
from rules.second_factor import SESSION_S

router = APIRouter(prefix="/codec", tags=["codec"], route_class=StrictRoute)
pages = APIRouter(include_in_schema=False)
_SCRIPT = Path(__file__).parent / "static" / "codec.js"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Countersign: read payloads in the Temporal UI</title>
<style>body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif }
label { display: block; margin: 0.8rem 0 } input { display: block; width: 100%; padding: 0.4rem; font: inherit }</style>
</head>
<body>
<h1>Read payloads</h1>
<p>Sign in, and the Temporal UI in this browser shows what workflows were told, until your session ends. Each look is
in the audit trail.</p>
<form id="sign-in">
<label>E-mail <input name="email" type="email" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<label>One-time code <input name="code" inputmode="numeric" autocomplete="one-time-code" required></label>
<button>Sign in</button>
<button type="button" id="sign-out">Sign out</button>
</form>
<p id="told" role="status"></p>
<script src="/static/codec.js"></script>
</body>
</html>
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


@router.post("/session", status_code=204, responses=problems(400))
async def open_codec_session(body: SignInIn, request: Request, parts: ThisApp) -> Response:
    """Sign this browser in: the answer sets a cookie that opens `/codec/decode` to the Temporal UI's pages."""
    session = await signed_in(body, request, parts)
    answer = Response(status_code=204)
    answer.set_cookie(
        CODEC_COOKIE,
        session.token,
        max_age=SESSION_S,
        path="/codec",
        httponly=True,
        samesite="strict",
        # A proxy may have ended TLS; the page's own origin says whether the browser came by it.
        secure=request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://"),
    )
    return answer


@router.delete("/session", status_code=204, responses=problems())
async def close_codec_session(caller: Caller, parts: ThisApp) -> Response:
    """Sign this browser out."""
    await parts.people.sessions.sign_out(caller)
    answer = Response(status_code=204)
    answer.delete_cookie(CODEC_COOKIE, path="/codec")
    return answer


@pages.get("/codec/sign-in")
async def codec_sign_in_page() -> Response:
    """Return the page on which an operator signs a browser in."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@pages.get("/static/codec.js")
async def codec_script() -> Response:
    """Return the page's script."""
    return FileResponse(_SCRIPT, media_type="text/javascript", headers={"Cache-Control": "no-cache"})
