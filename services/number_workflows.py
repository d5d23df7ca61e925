"""The way to a number's workflow: told that something changed, it does what is due; one that is gone is started."""

from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy

from domain.errors import TemporalUnavailableError
from domain.ids import number_id as public_id
from domain.messages import VERIFICATION_QUEUE, NumberOrder
from domain.routing import NumberFacts
from services.workflow_gateway import PATIENCE_S, in_time
from workflows.attributes import ACCOUNT, CARRIER, COUNTRY, ENVIRONMENT
from workflows.number_lease import NumberLeaseWorkflow


class NumberKeepers(Protocol):
    """What use cases need of the way to numbers' workflows."""

    async def wake(self, number: NumberFacts) -> None:
        """Have a number's workflow see what is due, starting it if need be, or raise `TemporalUnavailableError`."""
        ...


class NumberLeaseWorkflows:
    """Starts and signals the workflows of numbers."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def wake(self, number: NumberFacts) -> None:
        """Have a number's workflow see what is due, starting it if need be.

        Raises:
            TemporalUnavailableError: Temporal did not answer in time; upkeep will make up for it.

        """
        attributes = [
            SearchAttributePair(COUNTRY, number.country),
            SearchAttributePair(CARRIER, number.carrier),
            SearchAttributePair(ENVIRONMENT, number.environment.value),
        ]
        if number.account_id is not None:
            attributes.append(SearchAttributePair(ACCOUNT, str(number.account_id)))
        await in_time(
            self._client.start_workflow(
                NumberLeaseWorkflow.run,
                NumberOrder(number_id=number.id, environment=number.environment),
                id=f"number/{public_id(number.id)}",
                task_queue=VERIFICATION_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal="changed",
                rpc_timeout=timedelta(seconds=PATIENCE_S),
                static_summary=f"Number of {number.country} via {number.carrier}, {number.sender_type}",
                search_attributes=TypedSearchAttributes(attributes),
            )
        )


async def wake_if_there(keepers: NumberKeepers, number: NumberFacts) -> None:
    """Have a number tended now; where Temporal is away, upkeep finds it within a minute of its return."""
    with suppress(TemporalUnavailableError):
        await keepers.wake(number)
