"""The HTTP application: routers, problem handlers, the body limit, the OpenAPI document; wiring and nothing else."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api import codec, codec_session, event_reference, health, oauth, oauth_forms, pages, problems, receipts
from api.authorisation import SESSION_SCHEME, describe, ensure_guarded
from api.callers import who_calls
from api.codec import UiMayAsk
from api.edge import BodyLimit
from api.headers import SafeHeaders
from api.parts import Parts
from api.v1 import (
    accounts,
    approvals,
    audit,
    clients,
    events,
    keys,
    me,
    numbers,
    operators,
    policies,
    pools,
    recommendations,
    reference,
    routes,
    sandbox,
    session,
    verifications,
    webhooks,
)

VERSION = "0.1.0"
_ABOUT = "Verify that a person holds a phone number: start a verification, check the code the person typed."

_WITH_ROUTES = (
    verifications,
    events,
    webhooks,
    numbers,
    pools,
    recommendations,
    policies,
    routes,
    sandbox,
    accounts,
    keys,
    clients,
    me,
    operators,
    session,
    approvals,
    audit,
    reference,
    codec,
    codec_session,
    oauth,
    receipts,
    health,
)

OpenParts: TypeAlias = Callable[[], AbstractAsyncContextManager[Parts]]


def create_app(open_parts: OpenParts, *, temporal_ui_origin: str | None = None) -> FastAPI:
    """Return the application; its parts are opened when it starts and closed when it stops.

    Pages of the Temporal UI's origin may have payloads decoded; without one, no page may.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_parts() as parts, parts.watch.running(), parts.sightings.running():
            app.state.parts = parts
            yield

    app = FastAPI(
        title="Countersign",
        version=VERSION,
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for each in _WITH_ROUTES:
        app.include_router(each.router)
    app.include_router(codec_session.pages)
    app.include_router(pages.router)
    app.state.temporal_ui_origin = temporal_ui_origin
    ensure_guarded(app, gate=who_calls)
    problems.install(app)
    oauth_forms.install(app)
    app.add_middleware(BodyLimit)
    if temporal_ui_origin is not None:
        app.add_middleware(UiMayAsk, origin=temporal_ui_origin)
    # The last one added is the outermost.
    app.add_middleware(SafeHeaders)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with the problem schema that every refusal refers to."""
    if not app.openapi_schema:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = problems.problem_schema()
        document["components"].setdefault("securitySchemes", {}).update(SESSION_SCHEME)
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for methods in document["paths"].values():
            for operation in methods.values():
                describe(operation)
        document["webhooks"] = event_reference.webhooks()
        app.openapi_schema = document
    return app.openapi_schema
