"""Planning: from whatever started the execution to one fleet and one snapshot."""

from __future__ import annotations

from pydantic import ValidationError

from snaproll.contracts import Plan, PlanRequest, Rollout, RolloutRequest, SnapshotEvent
from snaproll.domain.fleet import Fleet
from snaproll.domain.ledger import FleetState, Trigger
from snaproll.domain.plan import SkipReason, decide
from snaproll.domain.snapshot import Snapshot, data_time, lies_ahead, matches
from snaproll.errors import (
    InvalidEventError,
    InvalidRequestError,
    NoEligibleSnapshotError,
    NotYetVisibleError,
)
from snaproll.explain import explain
from snaproll.runtime import Runtime
from snaproll.steps.dispatch import fleets_of, readable_fleets

LATEST = "latest"


def plan_rollout(request: PlanRequest, runtime: Runtime) -> Plan:
    """Decide what this execution is to do, changing nothing.

    Raises
    ------
    InvalidRequestError, InvalidEventError
        When the input is neither a request nor a known event.
    UnknownFleetError, InvalidFleetConfigurationError
        When the fleet is not configured, or wrongly.
    NoEligibleSnapshotError
        When the newest snapshot is asked for and there is none.
    """
    wanted = _request_in(request, runtime)
    if isinstance(wanted, Plan):
        return wanted
    fleet = runtime.fleets.get(wanted.fleet)
    state = runtime.ledger.state(fleet.name)
    if wanted.snapshot == LATEST:
        snapshot: Snapshot | None = _newest_eligible(fleet, runtime)
        snapshot_id = snapshot.id if snapshot else ""
    else:
        snapshot_id = wanted.snapshot
        snapshot = runtime.snapshots.get(snapshot_id)
    plan = _plan(request, fleet, state, snapshot_id, snapshot, wanted.trigger)
    return plan.model_copy(update={"dry_run": wanted.dry_run})


def _plan(
    request: PlanRequest,
    fleet: Fleet,
    state: FleetState,
    snapshot_id: str,
    snapshot: Snapshot | None,
    trigger: Trigger,
) -> Plan:
    decision = decide(
        fleet.name,
        state,
        snapshot_id=snapshot_id,
        snapshot=snapshot,
        trigger=trigger,
        execution=request.execution.id,
    )
    rollout = Rollout(
        fleet=fleet.name,
        policy=fleet.policy,
        snapshot=snapshot_id,
        trigger=trigger,
        execution=request.execution.id,
        started_at=request.execution.started_at,
        planned_revision=state.revision,
    )
    return Plan(skip=decision.skip, message=decision.message, rollout=rollout)


def _request_in(request: PlanRequest, runtime: Runtime) -> RolloutRequest | Plan:
    raw = request.input
    if isinstance(raw, dict) and "detail-type" in raw:
        return _request_of_event(raw, runtime)
    try:
        return RolloutRequest.model_validate(raw)
    except ValidationError as error:
        example = '{"fleet": "<name>"} or {"fleet": "<name>", "snapshot": "snap-…"}'
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
        found = fleets_of(snapshot, fleets, event.account)
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


def _newest_eligible(fleet: Fleet, runtime: Runtime) -> Snapshot:
    rule = fleet.policy.snapshots
    bad, now = runtime.ledger.quarantined(fleet.name), runtime.now()
    dated = [
        (at, snapshot.id, snapshot)
        for snapshot in runtime.snapshots.selected(rule.tags, rule.owners)
        # EC2's filters take * and ? in a value for wildcards; the fleet's rule does not.
        if snapshot.id not in bad and matches(snapshot, rule.tags)
        if (at := data_time(snapshot).at) is not None and not lies_ahead(at, now)
    ]
    if not dated:
        tags = ",".join(f"{{Key={key},Value={value}}}" for key, value in rule.tags.items())
        raise NoEligibleSnapshotError(
            f"Fleet {fleet.name} has no eligible snapshot: none that is completed, owned by "
            f"{', '.join(rule.owners)}, tagged {rule.tags}, dated and not quarantined. Publish "
            f"one: aws ec2 create-snapshot --volume-id <data volume of the writer> "
            f"--tag-specifications 'ResourceType=snapshot,Tags=[{tags}]'"
        )
    return max(dated)[2]
