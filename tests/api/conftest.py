"""One server per module, and a fresh account for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.api.serving import Api, Server, calling, running_api
from tests.services.fixtures import own_database, own_url

__all__ = ["api", "own_database", "own_url", "server"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with calling(server) as called:
        yield called
