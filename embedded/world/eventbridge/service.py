"""The default event bus: rules, their targets, and what becomes of an event."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.eventbridge.patterns import EventPattern
from embedded.world.eventbridge.schedules import Schedule, parse_schedule
from embedded.world.eventbridge.targets import Delivery, Dispatcher, Lost, Target, parse_target
from embedded.world.service import Params, Reply, Service, operation
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.clock import Timer
    from embedded.world.world import World

LARGEST_EVENT: Final = 1024 * 1024
"""Bytes in all entries of one PutEvents request (user guide, "PutEvents event entry size")."""
ENTRIES: Final = 10
TARGETS_PER_RULE: Final = 5
DELIVERY_SECONDS: Final = 1.0
BEST_EFFORT: Final = frozenset({"aws.autoscaling", "aws.ec2", "aws.ssm", "aws.states"})
"""Sources whose events may be lost on the way to EventBridge ("AWS service event delivery level").
Alarm state changes, scheduled events and accepted PutEvents entries are not."""


@dataclass(frozen=True)
class Event:
    """One event on the default bus."""

    id: str
    at: datetime
    source: str
    detail_type: str
    detail: Mapping[str, Any]
    resources: tuple[str, ...]
    envelope: Mapping[str, Any] = field(repr=False)
    """The event as JSON, as rules and targets see it."""

    @property
    def best_effort(self) -> bool:
        """True when AWS does not promise that the event arrives at all."""
        return self.source in BEST_EFFORT


DeliveryPolicy = Callable[[Event], Sequence[float]]
"""Decides when an event reaches the rules: a delay in seconds for each arrival. An empty sequence
is a lost event, two delays are a duplicate."""


def once(_: Event) -> Sequence[float]:
    """Deliver every event exactly once, a second after it happened."""
    return (DELIVERY_SECONDS,)


@dataclass
class Rule:
    """A rule of the default bus."""

    name: str
    arn: str
    pattern_text: str | None
    schedule_text: str | None
    description: str | None
    role_arn: str | None
    enabled: bool
    pattern: EventPattern | None
    schedule: Schedule | None
    targets: dict[str, Target] = field(default_factory=dict)
    timer: Timer | None = None


class EventBridge(Service):
    """EventBridge in one Region: the default bus only."""

    name: ClassVar[str] = "events"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.delivery: DeliveryPolicy = once
        self.seen: list[Event] = []
        """Every event that happened, delivered or not."""
        self._rules: dict[str, Rule] = {}
        self._dispatcher = Dispatcher(world)

    @property
    def lost(self) -> list[Lost]:
        """What targets never got, with the reason."""
        return self._dispatcher.lost

    # -- events ----------------------------------------------------------------------------------

    def emit(
        self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]
    ) -> None:
        """Put an AWS service's own event on the bus; when it arrives, ``delivery`` decides."""
        self._accept(source, detail_type, detail, resources, self.world.clock.now())

    def _accept(
        self,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: Sequence[str],
        at: datetime,
    ) -> Event:
        event = self._new_event(source, detail_type, detail, resources, at)
        delays = self.delivery(event)
        if not delays and not event.best_effort:
            raise ValueError(f"events of {source} are not lost on AWS: {detail_type}")
        for delay in delays:
            what = f"EventBridge delivers {detail_type}"
            self.world.clock.after(delay, what, lambda: self._route(event))
        return event

    def _new_event(
        self,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: Sequence[str],
        at: datetime,
    ) -> Event:
        # Through JSON and back: what is no JSON fails where it was made, and nothing is shared.
        detail = json.loads(json.dumps(detail))
        envelope = {
            "version": "0",
            "id": self.world.new_uuid(),
            "detail-type": detail_type,
            "source": source,
            "account": self.world.account,
            "time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.world.region,
            "resources": list(resources),
            "detail": detail,
        }
        event = Event(
            str(envelope["id"]), at, source, detail_type, detail, tuple(resources), envelope
        )
        self.seen.append(event)
        return event

    def _route(self, event: Event) -> None:
        envelope = dict(event.envelope)
        for rule in list(self._rules.values()):
            if rule.enabled and rule.pattern is not None and rule.pattern.matches(envelope):
                self._hand_to_targets(rule, event)

    def _hand_to_targets(self, rule: Rule, event: Event) -> None:
        now = self.world.clock.now()
        for target in list(rule.targets.values()):
            self._dispatcher.deliver(
                Delivery(copied(dict(event.envelope)), rule.name, rule.arn, target, now)
            )

    @operation("PutEvents", unmodelled=("EndpointId",))
    def put_events(self, params: Params) -> Reply:
        """Take custom events in; each entry is accepted or refused by itself."""
        entries = params["Entries"]
        if len(entries) > ENTRIES:
            raise AwsError(
                "ValidationException",
                "1 validation error detected: Value at 'entries' failed to satisfy constraint:"
                f" Member must have length less than or equal to {ENTRIES}",
            )
        if sum(_entry_size(entry) for entry in entries) >= LARGEST_EVENT:
            raise AwsError(
                "ValidationException",
                "Total size of the entries in the request is over the limit.",
            )
        results = [self._put_entry(entry) for entry in entries]
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedEntryCount": failed, "Entries": results}

    def _put_entry(self, entry: Params) -> Reply:
        problem = self._problem_of(entry)
        if problem is not None:
            return {"ErrorCode": problem[0], "ErrorMessage": problem[1]}
        event = self._accept(
            entry["Source"],
            entry["DetailType"],
            json.loads(entry["Detail"]),
            entry.get("Resources", []),
            _utc(entry.get("Time", self.world.clock.now())),
        )
        return {"EventId": event.id}

    def _problem_of(self, entry: Params) -> tuple[str, str] | None:
        if entry.get("EventBusName", "default") not in {
            "default",
            self.world.arn("events", "event-bus/default"),
        }:
            raise NotEmulatedError(f"the event bus {entry['EventBusName']}")
        for member in ("Source", "DetailType", "Detail"):
            if not entry.get(member):
                reason = f"Reason: {member} is a required argument."
                return "InvalidArgument", f"Parameter {member} is not valid. {reason}"
        if entry["Source"].startswith("aws."):
            return (
                "NotAuthorizedForSourceException",
                "Not authorized for the source.",
            )
        try:
            detail = json.loads(entry["Detail"])
        except json.JSONDecodeError:
            return "MalformedDetail", "Detail is malformed."
        if not isinstance(detail, dict):
            return "MalformedDetail", "Detail is malformed."
        return None

    @operation("TestEventPattern")
    def test_event_pattern(self, params: Params) -> Reply:
        """Tell whether a pattern matches an event."""
        try:
            event = json.loads(params["Event"])
        except ValueError as error:
            raise AwsError("ValidationException", "Parameter Event is not valid JSON.") from error
        required = {"id", "account", "source", "time", "region", "resources", "detail-type"}
        if missing := sorted(required - event.keys()):
            raise AwsError("ValidationException", f"Event is missing {missing[0]}.")
        return {"Result": EventPattern(params["EventPattern"]).matches(event)}

    # -- rules -----------------------------------------------------------------------------------

    @operation("PutRule")
    def put_rule(self, params: Params) -> Reply:
        """Create a rule, or replace what it says; its targets stay."""
        self._check_bus(params)
        pattern, schedule = params.get("EventPattern"), params.get("ScheduleExpression")
        if not pattern and not schedule:
            raise AwsError(
                "ValidationException",
                "Parameter(s) EventPattern or ScheduleExpression must be specified.",
            )
        state = params.get("State", "ENABLED")
        if state not in {"ENABLED", "DISABLED"}:
            raise NotEmulatedError(f"rules in the state {state}")
        existing = self._rules.get(params["Name"])
        rule = Rule(
            name=params["Name"],
            arn=self.world.arn("events", f"rule/{params['Name']}"),
            pattern_text=pattern,
            schedule_text=schedule,
            description=params.get("Description"),
            role_arn=params.get("RoleArn"),
            enabled=state == "ENABLED",
            pattern=EventPattern(pattern) if pattern else None,
            schedule=parse_schedule(schedule) if schedule else None,
            targets=existing.targets if existing else {},
        )
        self._stop_ticking(existing)
        self._rules[rule.name] = rule
        self._start_ticking(rule)
        return {"RuleArn": rule.arn}

    @operation("DeleteRule")
    def delete_rule(self, params: Params) -> Reply:
        """Delete a rule that has no targets any more; one that does not exist is no error."""
        self._check_bus(params)
        rule = self._rules.get(params["Name"])
        if rule is not None and rule.targets:
            raise AwsError("ValidationException", "Rule can't be deleted since it has targets.")
        self._stop_ticking(rule)
        self._rules.pop(params["Name"], None)
        return {}

    @operation("EnableRule")
    def enable_rule(self, params: Params) -> Reply:
        """Let a rule act."""
        rule = self._rule(params, "Name")
        if not rule.enabled:
            rule.enabled = True
            self._start_ticking(rule)
        return {}

    @operation("DisableRule")
    def disable_rule(self, params: Params) -> Reply:
        """Keep a rule from acting."""
        rule = self._rule(params, "Name")
        rule.enabled = False
        self._stop_ticking(rule)
        return {}

    @operation("DescribeRule")
    def describe_rule(self, params: Params) -> Reply:
        """Describe a rule."""
        return self._described(self._rule(params, "Name"))

    @operation("ListRules", unmodelled=("Limit", "NextToken"))
    def list_rules(self, params: Params) -> Reply:
        """List the rules of the bus, by name."""
        self._check_bus(params)
        prefix = params.get("NamePrefix", "")
        names = sorted(name for name in self._rules if name.startswith(prefix))
        return {"Rules": [self._described(self._rules[name]) for name in names]}

    @operation("PutTargets")
    def put_targets(self, params: Params) -> Reply:
        """Add targets to a rule, or replace those with the same ids."""
        rule = self._rule(params, "Rule")
        targets = [parse_target(copied(settings)) for settings in params["Targets"]]
        if len(rule.targets.keys() | {target.id for target in targets}) > TARGETS_PER_RULE:
            raise AwsError(
                "LimitExceededException",
                "The requested resource exceeds the maximum number allowed.",
            )
        rule.targets.update({target.id: target for target in targets})
        return {"FailedEntryCount": 0, "FailedEntries": []}

    @operation("RemoveTargets")
    def remove_targets(self, params: Params) -> Reply:
        """Take targets off a rule."""
        rule = self._rule(params, "Rule")
        failed = [
            {
                "TargetId": target,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": f"Rule {rule.name} does not have a target with the id {target}.",
            }
            for target in params["Ids"]
            if rule.targets.pop(target, None) is None
        ]
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    @operation("ListTargetsByRule", unmodelled=("Limit", "NextToken"))
    def list_targets_by_rule(self, params: Params) -> Reply:
        """List a rule's targets."""
        rule = self._rule(params, "Rule")
        return {"Targets": [copied(dict(target.settings)) for target in rule.targets.values()]}

    # -- within ----------------------------------------------------------------------------------

    def _check_bus(self, params: Params) -> None:
        if params.get("EventBusName", "default") != "default":
            raise NotEmulatedError(f"the event bus {params['EventBusName']}")

    def _rule(self, params: Params, member: str) -> Rule:
        self._check_bus(params)
        rule = self._rules.get(params[member])
        if rule is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"Rule {params[member]} does not exist on EventBus default.",
            )
        return rule

    def _described(self, rule: Rule) -> Reply:
        described = {
            "Name": rule.name,
            "Arn": rule.arn,
            "State": "ENABLED" if rule.enabled else "DISABLED",
            "EventBusName": "default",
            "EventPattern": rule.pattern_text,
            "ScheduleExpression": rule.schedule_text,
            "Description": rule.description,
            "RoleArn": rule.role_arn,
        }
        return {name: value for name, value in described.items() if value is not None}

    def _start_ticking(self, rule: Rule) -> None:
        if not rule.enabled or rule.schedule is None:
            return
        due = rule.schedule.next_after(self.world.clock.now())
        if due is None:
            return
        what = f"the schedule of {rule.name}"
        rule.timer = self.world.clock.at(due, what, lambda: self._tick(rule))

    def _stop_ticking(self, rule: Rule | None) -> None:
        if rule is not None and rule.timer is not None:
            rule.timer.cancel()
            rule.timer = None

    def _tick(self, rule: Rule) -> None:
        self._start_ticking(rule)
        now = self.world.clock.now()
        event = self._new_event("aws.events", "Scheduled Event", {}, [rule.arn], now)
        # A scheduled event goes to its own rule's targets, at least once ("Troubleshooting
        # Amazon EventBridge"); other rules do not see it.
        for delay in self.delivery(event) or (DELIVERY_SECONDS,):
            what = f"EventBridge delivers the schedule of {rule.name}"
            self.world.clock.after(delay, what, lambda: self._hand_to_targets(rule, event))


def _entry_size(entry: Params) -> int:
    """Bytes of an entry, counted as the user guide counts them."""
    size = 14 if "Time" in entry else 0
    size += len(entry.get("Source", "").encode()) + len(entry.get("DetailType", "").encode())
    size += len(entry.get("Detail", "").encode())
    return size + sum(len(resource.encode()) for resource in entry.get("Resources", []))


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
