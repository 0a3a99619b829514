"""Claiming a fleet, proving the claim, and starting who is next."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts.announcements import RolloutEvent, console_link
from snaproll.contracts.requests import LIVE
from snaproll.contracts.rollout import Rollout, StepRequest
from snaproll.contracts.steps import Claimed
from snaproll.domain.claims import prove_claim, take_claim, take_over
from snaproll.domain.ledger import Claim, FleetState
from snaproll.domain.staging import claim_staged
from snaproll.domain.watch import Watch
from snaproll.errors import FleetBusyError
from snaproll.runtime import Runtime
from snaproll.steps.staged import has_instances


def claim_fleet(request: StepRequest, runtime: Runtime) -> Claimed:
    """Take the right to change the fleet, or take it over from a rollout that died.

    Raises
    ------
    FleetBusyError
        Another rollout has it, or instances run a staged release that nobody watches yet.
    StalePlanError
        The ledger changed since the plan.
    ClaimLostError
        What was to be taken over is gone.
    """
    rollout = request.rollout
    policy = rollout.policy
    watch = Watch(group=policy.auto_scaling_group, alarms=policy.health.alarms)
    # A group is not looked at within a transition, which may be run again.
    unproven = has_instances(runtime.ledger.state(rollout.fleet), runtime)

    def transition(state: FleetState) -> Change:
        if rollout.takes_over is not None:
            taken = take_over(
                rollout.fleet, state, fence=rollout.takes_over, execution=rollout.execution
            )
            return Change(taken, watch=watch)
        if unproven and state.staged is not None and not state.is_staged(rollout.snapshot):
            raise FleetBusyError(
                f"{state.staged.release.snapshot} is staged on fleet {rollout.fleet}, which has "
                f"instances by now: they are watched first."
            )
        claimed = take_claim(
            rollout.fleet,
            state,
            planned_revision=rollout.planned_revision,
            execution=rollout.execution,
            snapshot=rollout.snapshot,
            trigger=rollout.trigger,
            now=runtime.now(),
            reason=rollout.reason,
            hold_if_live=rollout.by_hand if rollout.goes_back else None,
            again=rollout.again,
        )
        return Change(claim_staged(rollout.fleet, claimed), watch=watch)

    state = runtime.ledger.change(rollout.fleet, transition)
    claim = prove_claim(rollout.fleet, state, execution=rollout.execution, fence=state.fence)
    claimed = rollout.model_copy(update={"fence": state.fence})
    how = "began" if rollout.takes_over is None else "goes on in another execution"
    because = f" Reason given: {rollout.reason.rstrip('.')}." if rollout.reason else ""
    message = f"The rollout of {rollout.snapshot} to fleet {rollout.fleet} {how}.{because}"
    runtime.announcements.publish("Rollout Started", event_of(claimed, message, runtime))
    return Claimed(
        message=message,
        rollout=claimed,
        phase=claim.phase,
        candidate=claim.candidate,
        target=claim.target,
        source=claim.source,
        refresh=claim.refresh,
        why=claim.why,
        against_data=claim.against_data,
    )


def start_successor(fleet: str, state: FleetState, runtime: Runtime) -> str | None:
    """Start the execution that the ledger names as the next one; its name.

    Starting it again is harmless: the name is taken then. While the environment is stopped nothing
    is started but what goes on with a rollout that runs; the name stays in the ledger, where the
    comparison finds it afterwards.
    """
    successor = state.successor
    if successor is None:
        return None
    if successor.takes_over is None and runtime.stop_reason() is not None:
        return None
    content: dict[str, object] = {
        "fleet": fleet,
        "snapshot": LIVE if successor.again else successor.snapshot,
        "trigger": successor.trigger.value,
    }
    if successor.reason is not None:
        content["reason"] = successor.reason
    if successor.takes_over is not None:
        content["takes_over"] = successor.takes_over
    runtime.executions.start(runtime.settings.rollout_machine, successor.name, content)
    return successor.name


def proven(rollout: Rollout, state: FleetState) -> Claim:
    """The rollout's claim in a state that was read, or that a transition is to change.

    Raises
    ------
    ClaimLostError
        The claim is no longer this rollout's.
    """
    return prove_claim(rollout.fleet, state, execution=rollout.execution, fence=rollout.fence)


def prove(rollout: Rollout, runtime: Runtime) -> Claim:
    """The rollout's claim, read right before something is changed.

    Raises
    ------
    ClaimLostError
        The claim is no longer this rollout's.
    """
    state = runtime.ledger.state(rollout.fleet)
    return proven(rollout, state)


def event_of(rollout: Rollout, message: str, runtime: Runtime) -> RolloutEvent:
    """What every domain event about a rollout says."""
    return RolloutEvent(
        environment=runtime.settings.environment,
        fleet=rollout.fleet,
        snapshot=rollout.snapshot,
        message=message,
        execution=rollout.execution,
        link=console_link(rollout.execution),
    )
