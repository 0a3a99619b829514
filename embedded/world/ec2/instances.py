"""Launching and terminating instances, for Auto Scaling and through the API."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

from embedded.world.ec2.instance import (
    STATE_CODES,
    Instance,
    InstanceLife,
    LaunchRefusedError,
    StateReason,
)
from embedded.world.ec2.launching import LaunchChecks, LaunchPlan, refused
from embedded.world.ec2.query import page, paged, refuse_dry_run, select, tag_shapes
from embedded.world.ec2.refusals import refuse_while
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.ec2.service import EC2
    from embedded.world.ec2.template_store import LaunchTemplateVersion, TemplateStore
    from embedded.world.ec2.volumes import Volumes
    from embedded.world.world import World

REMEMBERED = timedelta(hours=1)
"""How long a terminated instance still shows in DescribeInstances (EC2 user guide)."""


class Instances(Service):
    """The instances of the account."""

    name = "ec2"

    def __init__(
        self,
        world: World,
        ec2: EC2,
        templates: TemplateStore,
        volumes: Volumes,
        checks: LaunchChecks,
    ) -> None:
        super().__init__(world)
        self._ec2 = ec2
        self._templates = templates
        self._volumes = volumes
        self._checks = checks
        self._by_id: dict[str, Instance] = {}
        self._lives: dict[str, InstanceLife] = {}
        self._terminated: deque[Instance] = deque()
        self._addresses = 0

    # -- what Auto Scaling and the world use -------------------------------------------------------

    def get(self, instance_id: str) -> Instance:
        """The instance of that id, terminated ones for an hour.

        Raises
        ------
        AwsError
            ``InvalidInstanceID.NotFound``.
        """
        self._forget_old()
        if instance_id not in self._by_id:
            raise AwsError(
                "InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist"
            )
        return self._by_id[instance_id]

    def all(self) -> list[Instance]:
        """Every instance that EC2 still shows, oldest first."""
        self._forget_old()
        return list(self._by_id.values())

    def launch(
        self,
        template_id: str,
        version: int,
        *,
        zone: str,
        group: str,
        instance_type: str | None,
        image_id: str | None,
        role_arn: str,
    ) -> Instance:
        """Launch one instance; see ``EC2.launch``."""
        chosen = self._version(template_id, version)
        plan = self._checks.plan(chosen.data, instance_type=instance_type, image_id=image_id)
        refuse_while(self._ec2.refusal)
        self._take_capacity(zone, plan.instance_type)
        instance = self._make(plan, template_id, version, zone=zone, group=group)
        instance.tags.update(_template_tags(chosen, "instance"))
        for volume in self._volumes.attached(instance):
            volume.tags.update(_template_tags(chosen, "volume"))
        self._by_id[instance.id] = instance
        life = InstanceLife(self.world, self._ec2.behaviour, instance)
        life.on_terminated = self._gone
        self._lives[instance.id] = life
        keys = {key for planned in plan.volumes for key in planned.keys}
        life.begin(keys_usable=all(self.world.kms.usable(key, role_arn) for key in keys))
        return instance

    def terminate(self, instance_id: str, *, reason: StateReason) -> None:
        """Begin to shut an instance down; nothing when it is already going."""
        self.get(instance_id)
        life = self._lives.get(instance_id)
        if life is not None:
            life.end(reason)

    def _version(self, template_id: str, number: int) -> LaunchTemplateVersion:
        try:
            return self._templates.by_id(template_id).version(number)
        except AwsError as missing:
            raise refused(missing.code, missing.message) from None

    def _take_capacity(self, zone: str, instance_type: str) -> None:
        room = self._ec2.capacity
        keys = [key for key in (zone, instance_type) if key in room]
        if any(room[key] <= 0 for key in keys):
            raise LaunchRefusedError(
                f"We currently do not have sufficient {instance_type} capacity in the "
                f"Availability Zone you requested ({zone}). Our system will be working on "
                "provisioning additional capacity.",
                code="InsufficientInstanceCapacity",
            )
        for key in keys:
            room[key] -= 1

    def _make(
        self, plan: LaunchPlan, template_id: str, version: int, *, zone: str, group: str
    ) -> Instance:
        self._addresses += 1
        high, low = divmod(self._addresses % 65_536, 256)
        instance = Instance(
            id=self.world.new_id("i"),
            template_id=template_id,
            template_version=version,
            image_id=plan.image_id,
            instance_type=plan.instance_type,
            zone=zone,
            private_ip=f"10.0.{high}.{low}",
            group=group,
            launched_at=self.world.clock.now(),
            scenario=plan.scenario,
            tags=_system_tags(template_id, version, group),
        )
        for planned in plan.volumes:
            volume = self._volumes.make(
                zone=zone,
                ebs=planned.ebs,
                snapshot=planned.snapshot,
                encrypted=planned.encrypted,
                kms_key_id=planned.kms_key_id,
            )
            self._volumes.attach(volume, instance, planned.device)
            if planned.snapshot is not None:
                instance.snapshots[planned.device] = planned.snapshot.id
        return instance

    def _gone(self, instance: Instance) -> None:
        self._volumes.let_go(instance)
        self._terminated.append(instance)
        del self._lives[instance.id]

    def _forget_old(self) -> None:
        horizon = self.world.clock.now() - REMEMBERED
        while self._terminated and (self._terminated[0].terminated_at or horizon) < horizon:
            del self._by_id[self._terminated.popleft().id]

    # -- operations --------------------------------------------------------------------------------

    @operation("DescribeInstances")
    def describe_instances(self, params: Params) -> Reply:
        """Instances, each in a reservation of its own, as Auto Scaling's launches are."""
        refuse_dry_run(params)
        ids = params.get("InstanceIds")
        if ids and params.get("MaxResults"):
            raise AwsError(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            )
        chosen = select(
            [self.get(instance_id) for instance_id in ids] if ids else self.all(),
            params.get("Filters", []),
            {
                "availability-zone": lambda item: (item.zone,),
                "image-id": lambda item: (item.image_id,),
                "instance-id": lambda item: (item.id,),
                "instance-state-code": lambda item: (str(STATE_CODES[item.state]),),
                "instance-state-name": lambda item: (item.state,),
                "instance-type": lambda item: (item.instance_type,),
                "private-ip-address": lambda item: (item.private_ip,),
                "block-device-mapping.volume-id": lambda item: item.volumes.values(),
            },
            lambda item: item.tags,
        )
        instances, token = page(chosen, params)
        return paged("Reservations", [self._reservation(item) for item in instances], token)

    @operation("TerminateInstances")
    def terminate_instances(self, params: Params) -> Reply:
        """Terminate all the instances, or none when one of them is not there."""
        refuse_dry_run(params)
        instances = [self.get(instance_id) for instance_id in params["InstanceIds"]]
        changes = []
        for instance in instances:
            before = instance.state
            self.terminate(instance.id, reason=self._ec2.by_user())
            changes.append(
                {
                    "InstanceId": instance.id,
                    "PreviousState": {"Code": STATE_CODES[before], "Name": before},
                    "CurrentState": {"Code": STATE_CODES[instance.state], "Name": instance.state},
                }
            )
        return {"TerminatingInstances": changes}

    @operation("RunInstances")
    def run_instances(self, params: Params) -> Reply:
        """Answer a dry run of a launch template, which does not look at snapshots or keys.

        Auto Scaling makes this call with its caller's credentials (Auto Scaling user guide,
        "Launch template permissions").
        """
        specification = params.get("LaunchTemplate")
        if not params.get("DryRun") or specification is None:
            raise NotEmulatedError("RunInstances other than a dry run of a launch template")
        template = self._templates.meant(specification)
        # RunInstances takes the default version when none is named.
        version = template.version(template.number_of(specification.get("Version", "$Default")))
        if not params.get("ImageId") and not version.data.get("ImageId"):
            raise AwsError("MissingParameter", "The request must contain the parameter ImageId")
        refuse_dry_run(params)
        raise AssertionError("a dry run never gets here")

    # -- shapes ------------------------------------------------------------------------------------

    def _reservation(self, instance: Instance) -> Reply:
        return {
            "ReservationId": instance.id.replace("i-", "r-", 1),
            "OwnerId": self.world.account,
            "Groups": [],
            "Instances": [self._describe(instance)],
        }

    def _describe(self, instance: Instance) -> Reply:
        shape: Reply = {
            "InstanceId": instance.id,
            "ImageId": instance.image_id,
            "InstanceType": instance.instance_type,
            "State": {"Code": STATE_CODES[instance.state], "Name": instance.state},
            "LaunchTime": instance.launched_at,
            "Placement": {"AvailabilityZone": instance.zone, "Tenancy": "default"},
            "BlockDeviceMappings": [
                {
                    "DeviceName": volume.device,
                    "Ebs": {
                        "VolumeId": volume.id,
                        "Status": "attached",
                        "AttachTime": volume.attached_at,
                        "DeleteOnTermination": volume.delete_on_termination,
                    },
                }
                for volume in self._volumes.attached(instance)
            ],
            "Tags": tag_shapes(instance.tags),
        }
        if instance.state not in ("shutting-down", "terminated"):
            shape["PrivateIpAddress"] = instance.private_ip
        if instance.state_reason is not None:
            reason = instance.state_reason
            shape["StateReason"] = {"Code": reason.code, "Message": reason.message}
        return shape


def _system_tags(template_id: str, version: int, group: str) -> dict[str, str]:
    tags = {
        "aws:ec2launchtemplate:id": template_id,
        "aws:ec2launchtemplate:version": str(version),
    }
    if group:
        tags["aws:autoscaling:groupName"] = group
    return tags


def _template_tags(version: LaunchTemplateVersion, resource_type: str) -> dict[str, str]:
    return {
        tag["Key"]: tag.get("Value", "")
        for specification in version.data.get("TagSpecifications", [])
        if specification.get("ResourceType") == resource_type
        for tag in specification.get("Tags", [])
    }
