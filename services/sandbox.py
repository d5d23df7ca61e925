"""The sandbox's tools: the outbox to read a message from, and the carriers' scripts. For sandbox keys only."""

from collections.abc import Mapping, Sequence

from carriers.sandbox_control import SandboxControl
from domain.audit import AuditEntry, JsonScalar
from domain.errors import SandboxOnlyError, SandboxUnavailableError
from domain.facts import Caller
from domain.ids import parse
from domain.sandbox import BehaviourView, SandboxBehaviour, SandboxMessage
from domain.statuses import Environment
from store import audit
from store.attempts import own_attempts
from store.engine import Database


class Sandbox:
    """What a developer may see and set of the scripted carriers."""

    def __init__(self, control: SandboxControl | None, *, database: Database, carriers: Sequence[str]) -> None:
        self._control = control
        self._database = database
        self._carriers = carriers

    async def messages(self, caller: Caller, *, to: str | None) -> Sequence[SandboxMessage]:
        """Return what this account's attempts brought to handsets in the last hour, newest last."""
        found = await self._for(caller).messages(to)
        async with self._database.reading() as connection:
            own = await own_attempts(
                connection,
                [attempt for each in found if (attempt := parse(each.attempt_id, prefix="att")) is not None],
                account_id=caller.account_id,
                environment=caller.environment,
            )
        return [each for each in found if parse(each.attempt_id, prefix="att") in own]

    async def behaviours(self, caller: Caller) -> Sequence[BehaviourView]:
        """Return how each carrier treats this account: `accept` whatever it sends where it ordered nothing else."""
        ordered = await self._for(caller).behaviours(account=caller.account_id)
        scripted = {each.carrier for each in ordered if each.to is None}
        usual = [BehaviourView(carrier=name, behaviour=SandboxBehaviour.ACCEPT) for name in self._carriers]
        return sorted([*ordered, *(each for each in usual if each.carrier not in scripted)], key=_in_order)

    async def set_behaviour(
        self,
        caller: Caller,
        carrier: str,
        *,
        behaviour: SandboxBehaviour,
        latency_ms: int,
        times: int | None,
        to: str | None,
    ) -> BehaviourView:
        """Script a carrier: for all that this account sends or for one number, for good or for some messages.

        Raises:
            NotFoundError: there is no such carrier.

        """
        control = self._for(caller)
        view = await control.set_behaviour(
            carrier, behaviour=behaviour, latency_ms=latency_ms, times=times, to=to, account=caller.account_id
        )
        details = {
            "behaviour": behaviour.value,
            "latency_ms": latency_ms,
            "times": times,
            "for_one_number": to is not None,
        }
        await self._record(caller, "sandbox.carrier_scripted", carrier, details)
        return view

    async def reset(self, caller: Caller, carrier: str) -> None:
        """Have a carrier accept everything of this account again.

        Raises:
            NotFoundError: there is no such carrier.

        """
        await self._for(caller).reset(carrier, account=caller.account_id)
        await self._record(caller, "sandbox.carrier_restored", carrier, {})

    async def _record(self, caller: Caller, action: str, carrier: str, details: Mapping[str, JsonScalar]) -> None:
        """Record what was done to a carrier, which is not in this database: after it, because it may be refused."""
        entry = AuditEntry(
            account_id=caller.account_id,
            environment=caller.environment,
            actor=caller.actor,
            action=action,
            subject=f"carrier:{carrier}",
            details=details,
        )
        async with self._database.transaction() as connection:
            await audit.record(connection, entry)

    def _for(self, caller: Caller) -> SandboxControl:
        if caller.environment is not Environment.SANDBOX:
            raise SandboxOnlyError("The sandbox's tools take sandbox keys (cs_test_) only.")
        if self._control is None:
            raise SandboxUnavailableError("This instance has no sandbox carriers (COUNTERSIGN_SANDBOX_URL is not set).")
        return self._control


def _in_order(view: BehaviourView) -> tuple[str, str]:
    return view.carrier, view.to or ""
