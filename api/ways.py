"""The ways from an API process to Temporal, handed over as one."""

from dataclasses import dataclass

from services.number_workflows import NumberKeepers
from services.pool_judging import PoolJudges
from services.webhook_dispatchers import Dispatchers
from services.workflow_gateway import WorkflowGateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """To verifications, to webhooks' dispatchers, to numbers, to the judgement of pools."""

    workflows: WorkflowGateway
    dispatchers: Dispatchers
    keepers: NumberKeepers
    judges: PoolJudges
