"""Pages without outside requests: the API reference, and what each problem means."""

import html
import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from domain.errors import NotFoundError

router = APIRouter(include_in_schema=False)
_STATIC = Path(__file__).parent / "static"
_PROBLEMS = Path(__file__).parent.parent / "docs" / "problems.md"
_SCALAR = "vendor/scalar-1.46.4/standalone.js"
# A name that has a version in it never changes its content; another one is asked for again each time.
_CACHING = {_SCALAR: "public, max-age=31536000, immutable", "reference.js": "no-cache"}
# `style-src` needs inline styles for Scalar; scripts come from here and nowhere else, and nothing is fetched elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Countersign API reference</title>
</head>
<body>
<div id="app"></div>
<script src="/static/{_SCALAR}"></script>
<script src="/static/reference.js"></script>
</body>
</html>
"""
# The problems as they are written, with each code as an anchor: enough Markdown for that one file.
_PROBLEMS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Countersign problems</title>
<style>body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; white-space: pre-line }
:target { background: #ffd }</style>
</head>
<body>"""
_HEADING = re.compile(r"^(#+) (.+)\n*", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")


@router.get("/")
@router.get("/reference")
async def api_reference() -> Response:
    """Return the API reference."""
    return HTMLResponse(_PAGE, headers=_page_headers())


@router.get("/docs/problems")
async def problems_page() -> Response:
    """Return what each problem code means; the `type` of a problem document points here."""
    return HTMLResponse(_PROBLEMS_PAGE + _as_html(_PROBLEMS.read_text(encoding="utf-8")), headers=_page_headers())


@router.get("/static/{name:path}")
async def static_file(name: str) -> Response:
    """Return one of the files the pages need; nothing else in the folder can be named."""
    if name not in _CACHING:
        raise NotFoundError("There is no such file.")
    return FileResponse(_STATIC / name, media_type="text/javascript", headers={"Cache-Control": _CACHING[name]})


def _as_html(markdown: str) -> str:
    """Return Markdown as HTML, as far as headings, which become anchors, and code."""
    text = _HEADING.sub(_heading, html.escape(markdown, quote=False))
    return _CODE.sub(r"<code>\1</code>", text)


def _heading(found: re.Match[str]) -> str:
    level, title = len(found[1]), found[2]
    return f'<h{level} id="{title}">{title}</h{level}>'


def _page_headers() -> dict[str, str]:
    return {
        "Content-Security-Policy": _POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
    }
