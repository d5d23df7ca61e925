"""How the API is served: uvicorn with the guarded protocol, one process or several on one socket."""

import resource
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from api.protocol import GuardedProtocol
from api.tls import Certificate

# How long a connection may wait for its next request. Clients and proxies that keep one must let go of it before.
IDLE_S = 15
_DRAIN_S = 8
_BEGIN_S = 60
# Files beside connections: the database, Temporal, carriers, Redis, logs.
_OTHER_FILES = 256


def config_of(
    app: Any, *, host: str, port: int, processes: int = 1, connections: int, certificate: Certificate | None = None
) -> uvicorn.Config:
    """Return how an application, or the one that `module:function` makes, is served."""
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        host=host,
        port=port,
        workers=processes,
        http=GuardedProtocol,
        loop="api.loop:ServingLoop",
        ws="none",
        lifespan="on",
        access_log=False,
        # Below that uvicorn tells of each request that is no HTTP, which would let anybody fill the log.
        log_level="error",
        # Nobody is believed here about where a request comes from.
        proxy_headers=False,
        server_header=False,
        limit_concurrency=connections,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=_DRAIN_S,
        # On a busy machine a process may need longer than uvicorn's 5 s to begin, and would be killed for it.
        timeout_worker_healthcheck=_BEGIN_S,
        ssl_context_factory=certificate,
    )


def run(config: uvicorn.Config) -> None:
    """Serve until SIGTERM, then finish what is under way."""
    if config.workers > 1:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
    else:
        uvicorn.Server(config).run()


def room_for(connections: int) -> int:
    """Return how many connections this process can really have, with as many files open as it is let."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(1, min(connections, soft - _OTHER_FILES))
