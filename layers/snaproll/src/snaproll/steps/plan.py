"""Planning: from whatever started the execution to one fleet and one snapshot."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from snaproll.contracts.events import SnapshotEvent
from snaproll.contracts.plan import Plan, PlanRequest
from snaproll.contracts.requests import LIVE, OperatorRequest, RolloutRequest
from snaproll.contracts.rollout import Rollout
from snaproll.domain.claims import was_handed_over
from snaproll.domain.fencing import quiet_seconds
from snaproll.domain.fleet import Fleet
from snaproll.domain.group import Group
from snaproll.domain.ledger import FleetState, Trigger
from snaproll.domain.plan import Serving, SkipReason, decide, newer_live
from snaproll.domain.release import Release
from snaproll.domain.snapshot import Snapshot, data_time, lies_ahead, matches
from snaproll.errors import (
    InvalidEventError,
    InvalidRequestError,
    NoEligibleSnapshotError,
    NotYetVisibleError,
)
from snaproll.explain import explain
from snaproll.runtime import Runtime
from snaproll.steps.dispatch import fleets_that_select
from snaproll.steps.drift import examine
from snaproll.steps.index import readable_fleets

LATEST = "latest"
PREVIOUS = "previous"
_OPERATIONS = frozenset({"hold", "resume", "lift_quarantine"})


def plan_rollout(request: PlanRequest, runtime: Runtime) -> Plan:
    """Decide what this execution is to do, changing nothing.

    Raises
    ------
    InvalidRequestError, InvalidEventError
        When the input is neither a request nor a known event.
    UnknownFleetError, InvalidFleetConfigurationError
        When the fleet is not configured, or wrongly.
    NoEligibleSnapshotError
        When the newest or the previous snapshot is asked for and there is none.
    """
    wanted = _request_in(request, runtime)
    if isinstance(wanted, Plan):
        return wanted
    if isinstance(wanted, RolloutRequest) and wanted.takes_over is not None:
        return _plan_takeover(request, wanted.fleet, wanted.takes_over, runtime)
    fleet = runtime.fleets.get(wanted.fleet)
    if isinstance(wanted, OperatorRequest):
        return Plan(skip=None, message="An operation on the fleet.", rollout=None, operation=wanted)
    state = runtime.ledger.state(fleet.name)
    return _plan(request, wanted, fleet, state, runtime)


def _plan(
    request: PlanRequest,
    wanted: RolloutRequest,
    fleet: Fleet,
    state: FleetState,
    runtime: Runtime,
) -> Plan:
    snapshot_id, snapshot = _snapshot(wanted, fleet, state, runtime)
    trigger = wanted.trigger
    if trigger is Trigger.PERSON and state.is_staged(snapshot_id) and not wanted.dry_run:
        # There is nothing to roll out: what is staged is looked for, and watched.
        trigger = Trigger.SCALE_OUT
    stopped = runtime.stop_reason()
    if stopped is not None and not wanted.dry_run:
        return Plan(
            skip=SkipReason.STOPPED,
            message=(
                f"Every rollout of this environment is stopped: {stopped}. Delete the parameter "
                f"{runtime.settings.stop_parameter} to go on."
            ),
            rollout=None,
        )
    serving = _serving(wanted, fleet, state, snapshot_id, runtime)
    decision = decide(
        fleet.name,
        state,
        snapshot_id=snapshot_id,
        snapshot=snapshot,
        trigger=trigger,
        execution=request.execution.id,
        now=runtime.now(),
        reason=wanted.reason,
        serving=serving,
    )
    goes_back = snapshot is not None and newer_live(state, snapshot) is not None
    rollout = _rollout(request, fleet, state, snapshot_id, trigger).model_copy(
        update={
            "reason": wanted.reason,
            "by_hand": wanted.reason if trigger is Trigger.PERSON else None,
            "no_rollback": wanted.reason if wanted.allow_no_rollback else None,
            "goes_back": goes_back and not decision.again,
            "again": decision.again,
        }
    )
    return Plan(
        skip=decision.skip, dry_run=wanted.dry_run, message=decision.message, rollout=rollout
    )


def _serving(
    wanted: RolloutRequest, fleet: Fleet, state: FleetState, snapshot_id: str, runtime: Runtime
) -> Serving | None:
    """How the fleet stands to a snapshot that is live on it; None when another one is.

    While a release is staged, what is live is not what the group saves.
    """
    if state.staged is not None:
        return None
    if state.live is not None and state.live.snapshot != snapshot_id:
        return None
    if wanted.snapshot == LIVE:
        return Serving(wanted=True)
    if state.claim is not None:
        # While the fleet is being rolled it is mixed, and only the ledger tells.
        return Serving() if state.live is not None else None
    group = runtime.groups.get(fleet.policy.auto_scaling_group)
    live = state.live or _found(fleet, group, runtime)
    if live is None or live.snapshot != snapshot_id:
        return None
    drift, _ = examine(fleet, live, group, runtime)
    heals = fleet.policy.on_drift == "heal"
    return Serving(drift=drift.what if drift else None, heals=heals)


def _found(fleet: Fleet, group: Group | None, runtime: Runtime) -> Release | None:
    """What a fleet that was never rolled is to launch, as if it were live."""
    contents = runtime.templates.read(group.saved) if group and group.saved else None
    snapshot = contents.snapshot_at(fleet.policy.data_device) if contents else None
    if contents is None or snapshot is None:
        return None
    return Release(snapshot=snapshot, template=contents.version)


def _rollout(
    request: PlanRequest, fleet: Fleet, state: FleetState, snapshot_id: str, trigger: Trigger
) -> Rollout:
    return Rollout(
        fleet=fleet.name,
        policy=fleet.policy,
        snapshot=snapshot_id,
        trigger=trigger,
        execution=request.execution.id,
        started_at=request.execution.started_at,
        planned_revision=state.revision,
    )


def _plan_takeover(request: PlanRequest, name: str, fence: int, runtime: Runtime) -> Plan:
    """Go on where a rollout stopped that died or was handed over, if its claim still stands."""
    state = runtime.ledger.state(name)
    claim = state.claim
    ours = claim is not None and claim.execution == request.execution.id
    if claim is None or (claim.fence != fence and not ours):
        return Plan(
            skip=SkipReason.SUPERSEDED,
            message=f"The claim on fleet {name} that was to be taken over is gone.",
            rollout=None,
        )
    left = runtime.ledger.handover(name)
    if left is not None and left.fence != fence:
        left = None
    fleet = Fleet(name=name, policy=left.policy) if left else runtime.fleets.get(name)
    rollout = _rollout(request, fleet, state, claim.snapshot, claim.trigger).model_copy(
        update={
            "started_at": claim.claimed_at,
            "reason": claim.reason,
            "by_hand": claim.reason if claim.trigger is Trigger.PERSON else None,
            "goes_back": claim.hold_if_live is not None,
            "again": claim.again,
        }
    )
    return Plan(
        skip=None,
        message=f"The rollout of {claim.snapshot} to fleet {fleet.name} is taken over.",
        rollout=rollout.model_copy(update={"takes_over": fence}),
        # Who handed over has nothing running any more that could change the fleet.
        quiet_seconds=(
            0 if ours or was_handed_over(state, fence) else quiet_seconds(claim.takeovers)
        ),
        memory=left.memory if left else None,
        checks=left.checks if left else [],
    )


def _snapshot(
    wanted: RolloutRequest, fleet: Fleet, state: FleetState, runtime: Runtime
) -> tuple[str, Snapshot | None]:
    if wanted.snapshot == LATEST:
        newest = newest_eligible(fleet, runtime)
        if newest is None:
            raise NoEligibleSnapshotError(_how_to_publish(fleet))
        return newest.id, newest
    if wanted.snapshot == LIVE:
        return _live(fleet, state, runtime)
    if wanted.snapshot != PREVIOUS:
        return wanted.snapshot, runtime.snapshots.get(wanted.snapshot)
    if wanted.reason is None:
        raise InvalidRequestError(
            'Going back to the previous snapshot needs a reason: {"fleet": …, "snapshot": '
            '"previous", "reason": "…"}. It holds the fleet, so that automation does not undo it.'
        )
    previous = state.previous.snapshot if state.previous else None
    if state.staged is not None:
        previous = state.staged.target.snapshot
    if previous is None:
        raise NoEligibleSnapshotError(
            f"The ledger knows no release of fleet {fleet.name} before the live one. Name a "
            f'snapshot: {{"fleet": "{fleet.name}", "snapshot": "snap-…", "reason": "…"}}.'
        )
    return previous, runtime.snapshots.get(previous)


def _live(fleet: Fleet, state: FleetState, runtime: Runtime) -> tuple[str, Snapshot | None]:
    live = state.live or _found(fleet, runtime.groups.get(fleet.policy.auto_scaling_group), runtime)
    if live is None:
        raise NoEligibleSnapshotError(
            f"Fleet {fleet.name} serves no snapshot that could be rolled out again. Start it with "
            f'{{"fleet": "{fleet.name}"}}.'
        )
    return live.snapshot, runtime.snapshots.get(live.snapshot)


def _request_in(request: PlanRequest, runtime: Runtime) -> RolloutRequest | OperatorRequest | Plan:
    raw = request.input
    if isinstance(raw, dict) and "detail-type" in raw:
        return _request_of_event(raw, runtime)
    operates = isinstance(raw, dict) and not _OPERATIONS.isdisjoint(raw)
    try:
        return (OperatorRequest if operates else RolloutRequest).model_validate(raw)
    except ValidationError as error:
        example = (
            '{"fleet": "<name>", "hold": "<reason>", "by": "<name>"}'
            if operates
            else '{"fleet": "<name>"} or {"fleet": "<name>", "snapshot": "snap-…"}'
        )
        raise InvalidRequestError(
            f"{explain('The execution input', error)} Start it again with, for example, {example}."
        ) from error


def _request_of_event(raw: object, runtime: Runtime) -> RolloutRequest | Plan:
    """A raw snapshot event as execution input: it must mean exactly one fleet and snapshot."""
    try:
        event = SnapshotEvent.model_validate(raw).root
    except ValidationError as error:
        raise InvalidEventError(explain("The event given as execution input", error)) from error
    pairs = []
    fleets = readable_fleets(runtime)
    for snapshot_id in event.snapshot_ids:
        snapshot = runtime.snapshots.get(snapshot_id)
        if snapshot is None:
            raise NotYetVisibleError(f"{snapshot_id} cannot be seen in account {event.account}.")
        found = fleets_that_select(snapshot, fleets, event.account, runtime)
        pairs += [(fleet.name, snapshot_id) for fleet in found]
    if not pairs:
        ids = ", ".join(event.snapshot_ids)
        return Plan(
            skip=SkipReason.NO_FLEET,
            message=f"No fleet's rule selects {ids}. Nothing to do.",
            rollout=None,
        )
    if len(pairs) > 1:
        listed = ", ".join(f'{{"fleet": "{name}", "snapshot": "{one}"}}' for name, one in pairs)
        raise InvalidRequestError(
            f"The event concerns more than one rollout. Start one execution for each: {listed}."
        )
    fleet_name, snapshot_id = pairs[0]
    return RolloutRequest(fleet=fleet_name, snapshot=snapshot_id, trigger=Trigger.SNAPSHOT)


def newest_eligible(
    fleet: Fleet, runtime: Runtime, newer_than: datetime | None = None
) -> Snapshot | None:
    """The newest snapshot by data time that the fleet's rule selects and nothing condemned.

    When none is newer than an instant, the ledger is not asked.
    """
    rule, now = fleet.policy.snapshots, runtime.now()
    dated = [
        (at, snapshot.id, snapshot)
        for snapshot in runtime.snapshots.selected(rule.tags, rule.owners)
        # EC2's filters take * and ? in a value for wildcards; the fleet's rule does not.
        if matches(snapshot, rule.tags)
        if (at := data_time(snapshot).at) is not None and not lies_ahead(at, now)
        if newer_than is None or at > newer_than
    ]
    bad = runtime.ledger.condemned(fleet.name) if dated else frozenset()
    good = [one for one in dated if one[1] not in bad]
    return max(good)[2] if good else None


def _how_to_publish(fleet: Fleet) -> str:
    rule = fleet.policy.snapshots
    tags = ",".join(f"{{Key={key},Value={value}}}" for key, value in rule.tags.items())
    return (
        f"Fleet {fleet.name} has no eligible snapshot: none that is completed, owned by "
        f"{', '.join(rule.owners)}, tagged {rule.tags}, dated, and neither rejected nor "
        f"quarantined. Publish one: aws ec2 create-snapshot --volume-id <data volume of the "
        f"writer> --tag-specifications 'ResourceType=snapshot,Tags=[{tags}]'"
    )
