"""No request goes through a thread: FastAPI sends plain functions to one, which costs more than most of them do."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from api.app import create_app
from api.parts import Parts


def never_opened() -> AbstractAsyncContextManager[Parts]:
    raise AssertionError


def in_threads(app: FastAPI) -> set[str]:
    """Return the names of all that is called in a thread, of routes and of what they depend on."""
    dependants = [getattr(route, "dependant", None) for route in iter_route_contexts(app.routes)]
    calls = {call for each in dependants if each is not None for call in _calls(each)}
    return {call.__qualname__ for call in calls if not _is_asynchronous(call)}


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for each in dependant.dependencies:
        yield from _calls(each)


def _is_asynchronous(call: Callable[..., Any]) -> bool:
    if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call):
        return True
    return inspect.iscoroutinefunction(type(call).__call__)


def test_nothing_that_a_request_calls_is_sent_to_a_thread() -> None:
    assert in_threads(create_app(never_opened)) == set()


def test_a_plain_dependency_is_noticed() -> None:
    def plain() -> int:
        return 1

    async def endpoint(one: Annotated[int, Depends(plain)]) -> int:
        return one

    app = FastAPI()
    app.get("/")(endpoint)

    assert in_threads(app) == {plain.__qualname__}
