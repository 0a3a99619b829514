"""Carries out what others do to fleets past snaproll: ``foreign`` says what there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from embedded.scenarios.stage import DATA_DEVICE, ENVIRONMENT, Stage
from tests.simulation.foreign import (
    Foreign,
    GroupIsSet,
    KeyIsDisabled,
    LaunchesRunShort,
    MaximumChanges,
    SnapshotIsLost,
    StackUpdates,
)
from tests.simulation.observer import Observer

TYPES = ("r7g.large", "r6g.large")
"""The instance types of the fleets, the second only of those with a mixed instances policy."""
_NEW_IMAGE = "ami-0fedcba9876543210"


class Outsiders:
    """Does to fleets what others do. ``note`` is told of everything."""

    def __init__(
        self, stage: Stage, observers: Sequence[Observer], note: Callable[[str], None]
    ) -> None:
        self._stage = stage
        self._world = stage.world
        self._observers = observers
        self._note = note
        self._deployed: dict[str, Any] = {}
        """The launch template data that each fleet's stack deployed last."""
        self.pending = 0
        """Disabled keys and shortages that are not over."""

    def do(self, entry: Foreign) -> None:
        """Carry one entry out."""
        match entry:
            case StackUpdates():
                self._update(entry)
            case GroupIsSet():
                self._set(entry)
            case MaximumChanges():
                self._limit(entry)
            case SnapshotIsLost():
                self._lose(entry)
            case KeyIsDisabled():
                self._disable(entry)
            case LaunchesRunShort():
                self._run_short(entry)

    # -- versions ---------------------------------------------------------------------------------

    def _update(self, entry: StackUpdates) -> None:
        seen = self._observers[entry.fleet]
        fleet = seen.scene.fleet
        snapshot = self._published(seen) if entry.data == "live" else fleet.first_snapshot
        template = self._world.ec2.template(fleet.template_id)
        before = self._deployed.setdefault(fleet.name, dict(template.versions[1].data))
        data = {
            **before,
            **({"ImageId": _NEW_IMAGE} if entry.new_image else {}),
            "BlockDeviceMappings": [
                {**one, "Ebs": {**one["Ebs"], "SnapshotId": snapshot}}
                if one["DeviceName"] == DATA_DEVICE
                else one
                for one in before["BlockDeviceMappings"]
            ],
        }
        made = self._make(seen, data)
        self._note(f"the stack of {fleet.name} makes version {made} with {snapshot}")
        if self._save(seen, made):
            self._deployed[fleet.name] = data
            return
        # Taken back to what was deployed before: CloudFormation makes one more version of it.
        again = self._make(seen, before)
        self._note(f"the update of the stack of {fleet.name} failed; it makes version {again}")

    def _published(self, seen: Observer) -> str:
        """What a stack reads of the live snapshot; docs have it written before the first update."""
        name = f"/snaproll/{ENVIRONMENT}/live/{seen.scene.fleet.name}/snapshot"
        try:
            reply = self._stage.session.client("ssm").get_parameter(Name=name)
        except ClientError:
            return seen.scene.fleet.first_snapshot
        return str(reply["Parameter"].get("Value"))

    def _make(self, seen: Observer, data: Any) -> int:
        reply = self._stage.session.client("ec2").create_launch_template_version(
            LaunchTemplateId=seen.scene.fleet.template_id, LaunchTemplateData=data
        )
        made = reply["LaunchTemplateVersion"]["VersionNumber"]
        seen.meddled.made.add(made)
        return made

    def _save(self, seen: Observer, version: int) -> bool:
        """Save a version on a group; False when Auto Scaling refuses, as it does in a refresh."""
        group = seen.scene.group
        if not save_version(self._stage, group.name, group.saved.members(), version):
            self._note(f"Auto Scaling lets nobody save version {version} on {group.name} now")
            return False
        seen.meddled.saved.add(version)
        self._note(f"version {version} is saved on {group.name}")
        return True

    def _set(self, entry: GroupIsSet) -> None:
        seen = self._observers[entry.fleet]
        version = {
            "first": 1,
            "live": seen.live.version,
            "newest": seen.scene.newest_version,
        }[entry.to]
        template = self._world.ec2.template(seen.scene.fleet.template_id)
        if version in template.versions:
            self._save(seen, version)

    def _limit(self, entry: MaximumChanges) -> None:
        group = self._observers[entry.fleet].scene.group
        most = group.desired + entry.above_desired
        self._note(f"the maximum size of {group.name} becomes {most}")
        self._stage.session.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=group.name, MaxSize=most
        )

    # -- data -------------------------------------------------------------------------------------

    def _lose(self, entry: SnapshotIsLost) -> None:
        seen = self._observers[entry.fleet]
        claimant = seen.claimant
        previous = seen.ledger.get("previous")
        found = {
            "live": seen.live.snapshot,
            "previous": previous["snapshot"] if previous else None,
            "rolling": claimant.snapshot if claimant else None,
            "first": seen.scene.fleet.first_snapshot,
        }[entry.which]
        snapshot = self._world.ec2.snapshot(found) if found else None
        if found is None or snapshot is None or found in seen.meddled.lost:
            return
        self._note(f"{found}, the {entry.which} snapshot of {seen.scene.fleet.name}, {entry.how}")
        seen.meddled.lost[found] = self._world.clock.now()
        if entry.how == "deleted":
            seen.scene.deleted[found] = snapshot
            self._stage.session.client("ec2").delete_snapshot(SnapshotId=found)
        else:
            # It takes a day: this is the end of what was begun then.
            snapshot.tier = "archive"

    def _disable(self, entry: KeyIsDisabled) -> None:
        seen = self._observers[entry.fleet]
        key, kms = seen.scene.fleet.key, self._stage.session.client("kms")
        self._note(f"the key of {seen.scene.fleet.name} is disabled for {entry.seconds:.0f} s")
        kms.disable_key(KeyId=key)
        self._for_a_while(entry.seconds, [seen], lambda: kms.enable_key(KeyId=key))

    def _run_short(self, entry: LaunchesRunShort) -> None:
        room = self._world.ec2.capacity
        self._note(f"EC2 has {entry.left} more instances for {entry.seconds:.0f} s")
        room.update(dict.fromkeys(TYPES, entry.left))
        self._for_a_while(entry.seconds, self._observers, room.clear)

    def _for_a_while(
        self, seconds: float, fleets: Sequence[Observer], end: Callable[[], object]
    ) -> None:
        now = self._world.clock.now()
        for seen in fleets:
            seen.meddled.run_short(now, now + timedelta(seconds=seconds))
        self.pending += 1

        def over() -> None:
            self.pending -= 1
            end()
            self._note("instances can be launched again")

        self._world.clock.after(seconds, "what others did is over", over)


def save_version(stage: Stage, group: str, saved: Any, version: int) -> bool:
    """Save another version in what a group has; False when Auto Scaling refuses."""
    if "MixedInstancesPolicy" in saved:
        policy = saved["MixedInstancesPolicy"]
        policy["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] = str(version)
        policy["LaunchTemplate"]["LaunchTemplateSpecification"].pop("LaunchTemplateName", None)
    else:
        saved["LaunchTemplate"]["Version"] = str(version)
        saved["LaunchTemplate"].pop("LaunchTemplateName", None)
    try:
        stage.session.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=group, **saved
        )
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "ValidationError":
            raise
        return False
    return True
