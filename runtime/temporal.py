"""The connection to Temporal, made when it is first needed, so that a process starts while Temporal is away."""

from collections.abc import Iterable

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode


async def connect(address: str, *, namespace: str) -> Client:
    """Return a client that connects on its first call."""
    return await Client.connect(address, namespace=namespace, lazy=True)


async def ensure_search_attributes(client: Client, names: Iterable[str]) -> None:
    """Register keyword search attributes that the namespace does not have yet."""
    for name in names:
        request = AddSearchAttributesRequest(
            namespace=client.namespace, search_attributes={name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}
        )
        try:
            await client.operator_service.add_search_attributes(request)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
