"""Writers on a stage: a volume that opted in, a parameter, and what asks for snapshots of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from embedded.scenarios.stage import DATA_DEVICE, ENVIRONMENT, Stage, StagedFleet

if TYPE_CHECKING:
    from embedded.states.execution import Execution

SOURCE = "snaproll.writer"
DATA_MATERIALIZED = "Data Materialized"


@dataclass(frozen=True)
class StagedWriter:
    """A writer in the world, by the names that AWS knows it by."""

    name: str
    volume: str
    instance: str | None = None


class Publishing:
    """What publishes: the writers of a stage, and the executions that take their snapshots."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._world = stage.world

    # -- writers ----------------------------------------------------------------------------------

    def add_writer(
        self, fleet: StagedFleet, policy: Mapping[str, Any] | None = None
    ) -> StagedWriter:
        """Let the writer of a fleet opt in, and configure it under the fleet's name."""
        self.opt_in(fleet.name, fleet.volume)
        writer = StagedWriter(fleet.name, fleet.volume)
        self.configure(
            writer.name, {"volume": {"id": fleet.volume}, "fleets": [fleet.name], **(policy or {})}
        )
        return writer

    def add_instance(self, fleet: StagedFleet, tags: Mapping[str, str]) -> StagedWriter:
        """Launch an instance that has a data volume as its replicas do, and let it opt in."""
        instance = self._world.ec2.launch(
            fleet.template_id, 1, zone=f"{self._world.region}a", group=""
        )
        self._world.run_until(lambda: instance.state == "running", limit=timedelta(minutes=5))
        volume = instance.volumes[DATA_DEVICE]
        self.opt_in(fleet.name, volume, instance.id)
        self.tag(tags, instance.id)
        self._world.ssm.commands.managed.add(instance.id)
        return StagedWriter(fleet.name, volume, instance.id)

    def opt_in(self, writer: str, *resources: str) -> None:
        """Let snaproll take snapshots of a volume, or run a document on an instance."""
        self.tag({"snaproll:writer": writer, "snaproll:environment": ENVIRONMENT}, *resources)

    def tag(self, tags: Mapping[str, str], *resources: str) -> None:
        """Write tags as a team would."""
        self._stage.session.client("ec2").create_tags(
            Resources=list(resources),
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )

    def configure(self, writer: str, policy: Mapping[str, Any]) -> None:
        """Write the writer's parameter."""
        self._stage.session.client("ssm").put_parameter(
            Name=f"/snaproll/{ENVIRONMENT}/writers/{writer}",
            Value=json.dumps(policy),
            Type="String",
            Overwrite=True,
        )

    # -- asking -----------------------------------------------------------------------------------

    def materialize(self, writer: str, **detail: Any) -> str:
        """Say that a writer's data is ready, as its pipeline does; the event's id."""
        content = {"environment": ENVIRONMENT, "writer": writer, **detail}
        reply = self._stage.session.client("events").put_events(
            Entries=[
                {
                    "Source": SOURCE,
                    "DetailType": DATA_MATERIALIZED,
                    "Detail": json.dumps(content),
                }
            ]
        )
        return reply["Entries"][0]["EventId"]

    def start(self, content: object, name: str | None = None) -> Execution:
        """Start a publish as an operator would from the console."""
        named = {"name": name} if name else {}
        reply = self._stage.session.client("stepfunctions").start_execution(
            stateMachineArn=self.machine, input=json.dumps(content), **named
        )
        return self._world.states.execution(reply["executionArn"])

    # -- what is seen -----------------------------------------------------------------------------

    @property
    def machine(self) -> str:
        """ARN of the publish state machine."""
        return self._world.arn("states", f"stateMachine:snaproll-{ENVIRONMENT}-publish")

    def publishes(self) -> list[Execution]:
        """Every publish so far, in the order of their start."""
        return self._world.states.executions(self.machine)

    def finish(self, limit: timedelta = timedelta(days=1)) -> None:
        """Let emulated time pass until no publish runs.

        Raises
        ------
        TimeoutError
            When one still runs after ``limit``.
        """
        self._world.run_until(lambda: not any(one.running for one in self.publishes()), limit=limit)

    def publish(self, writer: str, **detail: Any) -> Execution:
        """Say that data is ready, and play the publish that follows to its end."""
        before = len(self.publishes())
        self.materialize(writer, **detail)
        self._world.run_until(lambda: len(self.publishes()) > before, limit=timedelta(minutes=5))
        self.finish()
        return self.publishes()[before]
