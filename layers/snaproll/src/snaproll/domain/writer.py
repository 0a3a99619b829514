"""What a writer is, as its owner declares it: the writer parameter's schema."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from snaproll.domain.duration import Duration
from snaproll.domain.fleet import FLEET_NAME, FleetName
from snaproll.domain.tags import PREFIX
from snaproll.model import StrictValue, Value

WRITER_NAME = FLEET_NAME
"""As fleets are named, and for the same reason: it is a part of execution names."""
VOLUME_ID = r"^vol-[0-9a-f]{8,17}$"
INSTANCE_ID = r"^i-[0-9a-f]{8,17}$"

SHORTEST_LIMIT, LONGEST_LIMIT = timedelta(seconds=30), timedelta(minutes=15)
SHORTEST_COMPLETION, LONGEST_COMPLETION = timedelta(minutes=1), timedelta(days=7)

WriterName = Annotated[str, StringConstraints(pattern=WRITER_NAME)]
_Device = Annotated[str, StringConstraints(pattern=r"^(/dev/)?(sd|xvd)[a-z0-9]{1,4}$")]
_Tags = Annotated[dict[str, str], Field(min_length=1, max_length=10)]
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]


class Registry(StrictValue):
    """A DynamoDB table in which instances register, and which of its items is the writer's."""

    table: _Name = Field(description="Name of the table.")
    key: dict[str, str] = Field(
        min_length=1,
        max_length=2,
        description=(
            "Names and values of the partition key and, if the table has one, the sort key of the "
            "writer's item. All of them are strings."
        ),
    )
    attribute: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(
        description="Attribute of the item that holds the id of the volume or of the instance."
    )


class VolumeSource(StrictValue):
    """How the writer's data volume is found: exactly one of id, tags, instance_tags, registry."""

    id: Annotated[str, StringConstraints(pattern=VOLUME_ID)] | None = Field(
        default=None, description="The volume's id."
    )
    tags: _Tags | None = Field(default=None, description="Tags that the volume carries, all.")
    instance_tags: _Tags | None = Field(
        default=None, description="Tags that the writer's instance carries, all; with device."
    )
    registry: Registry | None = Field(
        default=None, description="The item of an instance registry; device if it names instances."
    )
    device: _Device | None = Field(
        default=None, description="Device name that the data volume has on the writer's instance."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [
            name
            for name in ("id", "tags", "instance_tags", "registry")
            if getattr(self, name) is not None
        ]
        if len(ways) != 1:
            raise ValueError("exactly one of id, tags, instance_tags and registry must be given")
        if self.instance_tags is not None and self.device is None:
            raise ValueError("instance_tags needs device: which of the instance's volumes it is")
        if self.device is not None and ways[0] in ("id", "tags"):
            raise ValueError(f"device says nothing beside {ways[0]}; leave it out")
        return self


class QuiesceHook(StrictValue):
    """What makes the writer stand still while the snapshot begins: a function or a document."""

    function: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = Field(
        default=None, description="Name of a Lambda function that keeps the hook's contract."
    )
    document: _Name | None = Field(
        default=None,
        description=(
            "Name of an SSM command document that keeps the hook's contract; it is run on the "
            "instance that the volume is attached to."
        ),
    )
    limit: Duration = Field(
        default=timedelta(minutes=5),
        description="How long the writer may stand still; the hook itself lets go after that.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.function is None) == (self.document is None):
            raise ValueError("exactly one of function and document must be given")
        return self

    @field_validator("limit")
    @classmethod
    def _bearable(cls, limit: timedelta) -> timedelta:
        if not SHORTEST_LIMIT <= limit <= LONGEST_LIMIT:
            raise ValueError("limit must be 30s at least and 15m at most")
        return limit


class WriterPolicy(StrictValue):
    """The JSON value of the parameter ``/snaproll/<environment>/writers/<writer>``."""

    volume: VolumeSource
    fleets: list[FleetName] = Field(
        default=[],
        max_length=20,
        description=(
            "Fleets that follow this writer. A published snapshot carries the tags that their "
            "rules ask for, read from their parameters."
        ),
    )
    tags: dict[str, str] = Field(
        default={},
        max_length=20,
        description="Further tags of a published snapshot, for followers that are no fleets here.",
    )
    quiesce: QuiesceHook | None = Field(
        default=None,
        description="Absent: the snapshot is taken as the volume is (crash-consistent).",
    )
    complete_within: Duration = Field(
        default=timedelta(hours=12),
        description="After this time, a snapshot that is still pending counts as failed.",
    )
    on_schedule: bool = Field(
        default=True, description="Whether the environment's publishing schedule concerns it."
    )

    @field_validator("tags")
    @classmethod
    def _keys_of_theirs(cls, tags: dict[str, str]) -> dict[str, str]:
        reserved = [key for key in tags if key.startswith(("aws:", PREFIX))]
        if reserved:
            raise ValueError(f"tags {reserved} begin with a prefix that is reserved")
        return tags

    @field_validator("complete_within")
    @classmethod
    def _some_time(cls, within: timedelta) -> timedelta:
        if not SHORTEST_COMPLETION <= within <= LONGEST_COMPLETION:
            raise ValueError("complete_within must be 1m at least and 7d at most")
        return within

    @model_validator(mode="after")
    def _for_somebody(self) -> Self:
        if not self.fleets and not self.tags:
            raise ValueError("fleets or tags must say who the snapshots are for")
        if len(set(self.fleets)) != len(self.fleets):
            raise ValueError(f"fleets {self.fleets} must name each fleet once")
        return self


class Writer(Value):
    """A writer's name and its policy."""

    name: WriterName
    policy: WriterPolicy


def is_writer_name(text: str) -> bool:
    """Whether a text can name a writer."""
    return re.fullmatch(WRITER_NAME, text) is not None


def is_volume_id(text: str) -> bool:
    """Whether a text is the id of a volume."""
    return re.fullmatch(VOLUME_ID, text) is not None


def is_instance_id(text: str) -> bool:
    """Whether a text is the id of an instance."""
    return re.fullmatch(INSTANCE_ID, text) is not None
