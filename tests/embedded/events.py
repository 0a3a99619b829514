"""A bus with one rule, to test deliveries with."""

from __future__ import annotations

import json
from typing import Any

from embedded import direct
from embedded.world.awslambda import FunctionSpec
from embedded.world.world import World

ROLE = "arn:aws:iam::111122223333:role/any"
RULE = "rule"


class Bus:
    """A world whose rule ``rule`` takes every event of the source ``test``."""

    def __init__(self, pattern: dict[str, Any] | None = None) -> None:
        self.world = World()
        self.session = direct.session(self.world)
        self.events = self.session.client("events")
        self.received: list[Any] = []
        self.rule_arn = self.events.put_rule(
            Name=RULE, EventPattern=json.dumps(pattern or {"source": ["test"]})
        )["RuleArn"]

    def send(self, detail: dict[str, Any] | None = None) -> str:
        """Put a custom event on the bus; gives its id."""
        entry = {"Source": "test", "DetailType": "Something", "Detail": json.dumps(detail or {})}
        return self.events.put_events(Entries=[entry])["Entries"][0]["EventId"]  # type: ignore[list-item]

    def target(self, arn: str, **settings: Any) -> None:
        """Give the rule a target."""
        target: Any = {"Id": "only", "Arn": arn, **settings}
        self.events.put_targets(Rule=RULE, Targets=[target])

    def function(self, *, permitted: bool = True) -> str:
        """Install a function that keeps what it is given; gives its ARN."""

        def handler(event: Any, _: Any) -> None:
            self.received.append(event)

        arn = self.world.awslambda.install(FunctionSpec("keep", handler, "Keep", ROLE))
        if permitted:
            self.session.client("lambda").add_permission(
                FunctionName="keep",
                StatementId="rule",
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=self.rule_arn,
            )
        return arn

    def queue(self, name: str = "letters", *, permitted: bool = True) -> str:
        """Create a queue that the rule may send to; gives its ARN."""
        arn = self.world.arn("sqs", name)
        policy = {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": self.rule_arn}},
                }
            ]
        }
        attributes = {"Policy": json.dumps(policy)} if permitted else {}
        self.session.client("sqs").create_queue(QueueName=name, Attributes=attributes)  # type: ignore[arg-type]
        return arn
