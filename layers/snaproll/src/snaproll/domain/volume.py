"""What is known about a writer's data volume, and whether a snapshot of it would be fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from snaproll.domain.checks import Check, check, failed, not_checked, passed
from snaproll.domain.fleet import Fleet
from snaproll.domain.publishes import PublishMode
from snaproll.domain.tags import ENVIRONMENT, WRITER
from snaproll.domain.wording import counted, listed
from snaproll.domain.writer import Writer

USABLE_STATES = frozenset({"available", "in-use"})
"""States in which a snapshot can be taken (API model ``VolumeState``)."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One EBS volume as EC2 describes it; ``instance`` is the one that it is attached to."""

    id: str
    state: str
    encrypted: bool
    kms_key: str | None = None
    instance: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for the writer's volume found: exactly one is right.

    ``how`` says what was looked for; ``remedy`` what to do when it finds none, with the command.
    """

    found: Sequence[Volume]
    how: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Followers:
    """The fleets of the environment, and what is wrong with those that a writer names."""

    fleets: Sequence[Fleet]
    problems: Sequence[str]

    def named(self, writer: Writer) -> list[Fleet]:
        """The fleets that follow a writer."""
        return [fleet for fleet in self.fleets if fleet.name in writer.policy.fleets]

    def selecting(self, tags: Mapping[str, str]) -> list[str]:
        """Names of the fleets whose rules select a snapshot with these tags."""
        return [
            fleet.name
            for fleet in self.fleets
            if fleet.policy.snapshots.tags.items() <= tags.items()
        ]


def found_one(writer: Writer, search: Search) -> Check:
    """Exactly one volume must be the writer's."""
    number = len(search.found)
    if number == 1:
        return passed("volume-found", f"{search.found[0].id} was found by {search.how}")
    if number == 0:
        reason = f"no volume of writer {writer.name} was found by {search.how}. {search.remedy}"
        return failed("volume-found", reason)
    ids = [volume.id for volume in search.found]
    return failed(
        "volume-found",
        f"{counted(number, 'volume')} were found by {search.how}: {listed(ids)}. Which of them "
        f"holds the data of writer {writer.name} is not for snaproll to guess: name it in the "
        f'writer\'s parameter, {{"volume": {{"id": "{ids[0]}"}}}}, or take what marks the others '
        f"away from them",
    )


def volume_checks(writer: Writer, environment: str, volume: Volume | None) -> list[Check]:
    """Whether the volume may be snapshotted by us, and would give a fit snapshot."""
    names = ("opted-in", "usable", "encrypted", "attached")
    if volume is None:
        return [not_checked(name, "there is no volume") for name in names]
    wanted = {WRITER: writer.name, ENVIRONMENT: environment}
    tags = " ".join(f"Key={key},Value={value}" for key, value in wanted.items())
    hook = writer.policy.quiesce
    return [
        check(
            "opted-in",
            fine=wanted.items() <= volume.tags.items(),
            good="it carries the tags that let snaproll take snapshots of it",
            bad=(
                f"{volume.id} does not carry the tags that let snaproll take snapshots of it for "
                f"writer {writer.name}: aws ec2 create-tags --resources {volume.id} --tags {tags}"
            ),
        ),
        check(
            "usable",
            fine=volume.state in USABLE_STATES,
            good=f'its state is "{volume.state}"',
            bad=f'{volume.id} is in the state "{volume.state}", in which it has no data to keep',
        ),
        check(
            "encrypted",
            fine=volume.encrypted,
            good="it is encrypted, and so its snapshots are",
            bad=(
                f"{volume.id} is not encrypted, so its snapshot would not be either, and no fleet "
                f"takes one. Replace the volume by an encrypted one: aws ec2 create-snapshot "
                f"--volume-id {volume.id}, then aws ec2 copy-snapshot --encrypted "
                f"--source-region <Region> --source-snapshot-id <that snapshot>, then aws ec2 "
                f"create-volume --snapshot-id <the copy> --availability-zone <zone> with this "
                f"volume's tags, and attach it in its place"
            ),
        ),
        check(
            "attached",
            fine=hook is None or hook.document is None or volume.instance is not None,
            good="its writer can be reached",
            bad=(
                f"{volume.id} is attached to no instance, and the quiesce document "
                f"{hook.document if hook else ''} needs one to run on"
            ),
        ),
    ]


def selector_tags(writer: Writer, followers: Followers) -> tuple[dict[str, str], list[str]]:
    """The tags that the followers select by, and in words where they contradict each other."""
    tags = dict(writer.policy.tags)
    source = dict.fromkeys(tags, "the writer's own tags")
    conflicts = []
    for fleet in followers.named(writer):
        for key, value in fleet.policy.snapshots.tags.items():
            if tags.setdefault(key, value) != value:
                conflicts.append(
                    f"fleet {fleet.name} selects {key}={value} and {source[key]} say "
                    f"{key}={tags[key]}: one snapshot cannot have both, so let two writers "
                    f"publish to them"
                )
            source.setdefault(key, f"the rules of fleet {fleet.name}")
    return tags, conflicts


def follower_checks(
    writer: Writer,
    followers: Followers,
    volume: Volume | None,
    own: Mapping[PublishMode, Mapping[str, str]],
) -> list[Check]:
    """Whether the followers would take the snapshot, and nobody one that is not for them.

    ``own`` is what snaproll itself writes on a snapshot of each mode.
    """
    known = {fleet.name for fleet in followers.fleets}
    missing = [
        f"fleet {name} is not configured"
        for name in writer.policy.fleets
        if name not in known and not any(name in text for text in followers.problems)
    ]
    _, conflicts = selector_tags(writer, followers)
    wrong = [*followers.problems, *missing, *conflicts]
    takers = followers.selecting(own[PublishMode.SNAPSHOT_ONLY])
    return [
        check(
            "followers",
            fine=not wrong,
            good=f"its snapshots are for {listed(writer.policy.fleets) or 'tags of its own'}",
            bad="; ".join(wrong),
        ),
        _key_check(followers.named(writer), volume),
        check(
            "kept-apart",
            fine=not takers,
            good="no fleet would take a snapshot that is not published",
            bad=(
                f"{_fleets(takers)} would take even a snapshot that is not to be published: their "
                f"rules ask for nothing but tags that snaproll writes on every snapshot. Add a "
                f"tag of your own to their rules"
            ),
        ),
    ]


def _key_check(fleets: Iterable[Fleet], volume: Volume | None) -> Check:
    if volume is None or not volume.encrypted:
        return not_checked("key-allowed", "there is no encrypted volume")
    refusing = [
        fleet.name
        for fleet in fleets
        if fleet.policy.snapshots.kms_keys and volume.kms_key not in fleet.policy.snapshots.kms_keys
    ]
    return check(
        "key-allowed",
        fine=not refusing,
        good="its key is one that the followers allow",
        bad=f"its key {volume.kms_key} is none of the kms_keys of {_fleets(refusing)}",
    )


def _fleets(names: Sequence[str]) -> str:
    return f"{'fleet' if len(names) == 1 else 'fleets'} {listed(names)}"
