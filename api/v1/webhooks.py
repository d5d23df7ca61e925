"""`/v1/webhooks`: parse, one call, view."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.webhook_models import (
    DeliveriesOut,
    DeliveriesQuery,
    NewWebhook,
    ReplayIn,
    ReplayOut,
    SecretRotation,
    TestOut,
    WebhookChange,
    WebhookOut,
    WebhooksOut,
    event_uuid,
)
from domain import ids
from domain.errors import NotFoundError
from domain.ids import event_id

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=StrictRoute)
# An answer with a secret is nobody's to keep.
_NOT_KEPT = {"Cache-Control": "no-store"}


async def webhook_id(
    caller: Caller,  # noqa: ARG001 - who is not known learns nothing, not even that this can be no id
    webhook_id: Annotated[str, Path(description="`whk_…`, as the creation answered it", max_length=64)],
) -> UUID:
    """Return the id in the path; text that cannot be one names nothing."""
    parsed = ids.parse(webhook_id, prefix="whk")
    if parsed is None:
        raise NotFoundError("This account has no webhook with this id.")
    return parsed


WebhookId = Annotated[UUID, Depends(webhook_id)]


@router.post("", status_code=201, response_model=WebhookOut, responses=problems(400, 409))
async def create_webhook(body: NewWebhook, caller: Caller, parts: ThisApp) -> Response:
    """Have events posted to a URL from now on. The answer shows the signing secret, once."""
    model = WebhookOut.of(await parts.webhooks.create(caller, body.to_request()))
    return answer(model, status=201, headers={"Location": f"/v1/webhooks/{model.id}", **_NOT_KEPT})


@router.get("", response_model=WebhooksOut, responses=problems())
async def list_webhooks(caller: Caller, parts: ThisApp) -> Response:
    """List the account's endpoints in this environment."""
    return answer(WebhooksOut(webhooks=[WebhookOut.of(each) for each in await parts.webhooks.list(caller)]))


@router.get("/{webhook_id}", response_model=WebhookOut, responses=problems())
async def read_webhook(webhook_id: WebhookId, caller: Caller, parts: ThisApp) -> Response:
    """Read an endpoint."""
    return answer(WebhookOut.of(await parts.webhooks.read(caller, webhook_id)))


@router.patch("/{webhook_id}", response_model=WebhookOut, responses=problems(400))
async def change_webhook(webhook_id: WebhookId, body: WebhookChange, caller: Caller, parts: ThisApp) -> Response:
    """Change an endpoint, disable it, or enable it again: it then goes on where it stopped, up to 30 days back."""
    return answer(WebhookOut.of(await parts.webhooks.change(caller, webhook_id, body.to_request())))


@router.delete("/{webhook_id}", status_code=204, responses=problems())
async def delete_webhook(webhook_id: WebhookId, caller: Caller, parts: ThisApp) -> Response:
    """Remove an endpoint; what waited for it is sent no more."""
    await parts.webhooks.delete(caller, webhook_id)
    return Response(status_code=204)


@router.post("/{webhook_id}/rotate", response_model=WebhookOut, responses=problems(400, 409))
async def rotate_webhook_secret(
    webhook_id: WebhookId, caller: Caller, parts: ThisApp, body: SecretRotation | None = None
) -> Response:
    """Get another signing secret, shown once; for 24 hours the one before signs beside it, and no other follows."""
    ends_previous = body is not None and body.end_previous_now
    rotated = await parts.webhooks.rotate(caller, webhook_id, ends_previous=ends_previous)
    return answer(WebhookOut.of(rotated), headers=_NOT_KEPT)


@router.post("/{webhook_id}/test", status_code=202, response_model=TestOut, responses=problems(409))
async def test_webhook(webhook_id: WebhookId, caller: Caller, parts: ThisApp) -> Response:
    """Have a `webhook.test` posted to this endpoint and to no other."""
    made = await parts.webhook_deliveries.test(caller, webhook_id)
    return answer(TestOut(event_id=event_id(made)), status=202)


@router.post("/{webhook_id}/replay", status_code=202, response_model=ReplayOut, responses=problems(400, 409))
async def replay_events(webhook_id: WebhookId, body: ReplayIn, caller: Caller, parts: ThisApp) -> Response:
    """Have events of the last 30 days posted again, under the ids they had: one, or those of a time."""
    replayed = await parts.webhook_deliveries.replay(caller, webhook_id, body.to_request())
    return answer(ReplayOut.of(replayed), status=202)


@router.get("/{webhook_id}/deliveries", response_model=DeliveriesOut, responses=problems())
async def list_deliveries(
    webhook_id: WebhookId, query: Annotated[DeliveriesQuery, Query()], caller: Caller, parts: ThisApp
) -> Response:
    """List an endpoint's deliveries with every try: status, latency, the first of the answer, the next try."""
    page = await parts.webhook_deliveries.list(
        caller,
        webhook_id,
        limit=query.limit,
        status=query.status,
        event_id=None if query.event_id is None else event_uuid(query.event_id),
        cursor=query.cursor,
    )
    return answer(DeliveriesOut.of(page))
