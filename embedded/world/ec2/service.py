"""EC2 as one service: its parts, and what the rest of the world asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedded.world.behaviour import Behaviour
from embedded.world.ec2.instance import Instance, StateReason
from embedded.world.ec2.instances import Instances
from embedded.world.ec2.launch_templates import LaunchTemplates
from embedded.world.ec2.launching import LaunchChecks
from embedded.world.ec2.refusals import LaunchRefusal
from embedded.world.ec2.snapshot_making import SnapshotMaking
from embedded.world.ec2.snapshot_store import Snapshot, SnapshotStore
from embedded.world.ec2.snapshot_tiers import SnapshotTiers
from embedded.world.ec2.snapshots import Snapshots
from embedded.world.ec2.tagging import Tagging
from embedded.world.ec2.template_store import LaunchTemplate, TemplateStore
from embedded.world.ec2.volumes import Volumes
from embedded.world.errors import NotEmulatedError
from embedded.world.service import Params, Reply, Service

if TYPE_CHECKING:
    from embedded.world.world import World


class EC2(Service):
    """The part of EC2 that a fleet of read replicas is made of.

    The operations live in parts, one for each kind of resource; this class is what the other
    services of the world, scenarios and tests talk to.
    """

    name = "ec2"
    _PARTS = (
        Snapshots,
        SnapshotMaking,
        SnapshotTiers,
        Volumes,
        LaunchTemplates,
        Instances,
        Tagging,
    )

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.behaviour = Behaviour()
        self.capacity: dict[str, int] = {}
        """How many more instances can be launched, by Availability Zone or instance type.

        What is not a key is unlimited. A launch takes one; a termination gives none back.
        """
        self.refusal: LaunchRefusal | None = None
        """Why EC2 refuses every launch at the moment, None while it does not."""
        self.deregistered_images: set[str] = set()
        """AMIs that no longer exist. Every other image id is taken for one that does."""
        self.images_by_snapshot: dict[str, str] = {}
        """Registered AMIs by the snapshot that they are made of."""
        self._snapshot_store = SnapshotStore(world)
        self._template_store = TemplateStore()
        self._volumes = Volumes(world, self, self._snapshot_store)
        self._making = SnapshotMaking(world, self, self._snapshot_store, self._volumes)
        self._instances = Instances(
            world,
            self,
            self._template_store,
            self._volumes,
            LaunchChecks(self, self._snapshot_store, self._volumes),
        )
        self._tags = self._tagging()
        self._parts: tuple[Service, ...] = (
            Snapshots(world, self, self._snapshot_store),
            self._making,
            SnapshotTiers(world, self, self._snapshot_store),
            self._volumes,
            LaunchTemplates(world, self._template_store),
            self._instances,
            self._tags,
        )

    def _tagging(self) -> Tagging:
        store, templates = self._snapshot_store, self._template_store
        return Tagging(
            self.world,
            {
                "snap": ("snapshot", lambda key: store.own(key).tags, store.owned_ids),
                "lt": (
                    "launch-template",
                    lambda key: templates.by_id(key).tags,
                    lambda: [template.id for template in templates.all()],
                ),
                "i": (
                    "instance",
                    lambda key: self._instances.get(key).tags,
                    lambda: [instance.id for instance in self._instances.all()],
                ),
                "vol": ("volume", lambda key: self._volumes.get(key).tags, self._volumes.ids),
            },
        )

    # -- operations --------------------------------------------------------------------------------

    @classmethod
    def operation_names(cls) -> frozenset[str]:
        """The operations that the parts model."""
        return frozenset().union(*(part.operation_names() for part in cls._PARTS))

    def perform(self, operation_name: str, params: Params) -> Reply:
        """Let the part that models the operation carry it out."""
        for part in self._parts:
            if part.models(operation_name):
                return part.perform(operation_name, params)
        raise NotEmulatedError(f"{self.name}:{operation_name}")

    # -- instances ---------------------------------------------------------------------------------

    def launch(
        self,
        template_id: str,
        version: int,
        *,
        zone: str,
        group: str,
        instance_type: str | None = None,
        image_id: str | None = None,
        role_arn: str | None = None,
    ) -> Instance:
        """Launch one instance of a template version, as Auto Scaling does.

        Parameters
        ----------
        template_id, version
            A launch template's id and a version's number (see ``resolve_version``).
        zone
            The Availability Zone.
        group
            The Auto Scaling group's name, which becomes a tag.
        instance_type, image_id
            Override what the template says.
        role_arn
            Who uses the keys of encrypted volumes: Auto Scaling's service-linked role by default.

        Returns
        -------
        Instance
            In ``pending``. When a key cannot be used it goes on to ``terminated`` by itself, with
            ``state_reason`` ``Client.InternalError``.

        Raises
        ------
        LaunchRefusedError
            For what EC2 refuses at once, with its sentence.
        """
        return self._instances.launch(
            template_id,
            version,
            zone=zone,
            group=group,
            instance_type=instance_type,
            image_id=image_id,
            role_arn=role_arn or self.service_linked_role,
        )

    def terminate(self, instance_id: str) -> None:
        """Begin to shut an instance down; nothing when it is already going."""
        self._instances.terminate(instance_id, reason=self.by_user())

    def instance(self, instance_id: str) -> Instance:
        """The instance of that id; terminated ones for an hour."""
        return self._instances.get(instance_id)

    def instances(self) -> list[Instance]:
        """Every instance that EC2 still shows, oldest first."""
        return self._instances.all()

    def by_user(self) -> StateReason:
        """The state reason of an instance that someone terminated."""
        return StateReason(
            "Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"
        )

    # -- launch templates --------------------------------------------------------------------------

    def template(self, id_or_name: str) -> LaunchTemplate:
        """The launch template of that id or name.

        Raises
        ------
        AwsError
            ``InvalidLaunchTemplateId.*`` or ``InvalidLaunchTemplateName.*``.
        """
        store = self._template_store
        return (
            store.by_id(id_or_name) if id_or_name.startswith("lt-") else store.by_name(id_or_name)
        )

    def resolve_version(self, template_id: str, spec: str) -> int:
        """The number that ``"$Latest"``, ``"$Default"`` or ``"7"`` means now.

        Raises
        ------
        AwsError
            When the template or the version is not there.
        """
        return self.template(template_id).number_of(spec)

    # -- snapshots ---------------------------------------------------------------------------------

    def snapshot(self, snapshot_id: str) -> Snapshot | None:
        """The snapshot of that id, whoever owns it, or None."""
        return self._snapshot_store.get(snapshot_id)

    def add_snapshot(self, *, event: bool = False, **attributes: Any) -> Snapshot:
        """Put a snapshot of the account's own into the world; see ``SnapshotMaking.add``."""
        return self._making.add(event=event, **attributes)

    def add_foreign_snapshot(
        self, *, owner: str, public: bool = False, shared: bool = False, **attributes: Any
    ) -> Snapshot:
        """Put another account's snapshot into the world: public, shared with us, or private."""
        return self._making.add_foreign(owner=owner, public=public, shared=shared, **attributes)

    def write_to_volume(self, volume_id: str, scenario: str) -> None:
        """Say what instances do with what is on a volume from now on, restored from a snapshot."""
        self._volumes.get(volume_id).scenario = scenario

    def snapshots_of_volume(self, volume_id: str) -> list[Snapshot]:
        """The snapshots of a volume that exist, whatever their state."""
        owned = (self.snapshot(one) for one in self._snapshot_store.owned_ids())
        return [one for one in owned if one is not None and one.volume_id == volume_id]

    def fail_next_snapshot(self, cause: str) -> None:
        """Let the next CreateSnapshot or CopySnapshot end in ``error`` with this cause."""
        self._making.fail_next(cause)

    def hold_with_image(self, snapshot_id: str, image_id: str) -> None:
        """Say that a registered AMI is made of this snapshot, which then cannot be deleted."""
        self._snapshot_store.own(snapshot_id)
        self.images_by_snapshot[snapshot_id] = image_id

    def tags_of(self, resource_id: str) -> dict[str, str]:
        """The tags of a snapshot, launch template, instance or volume.

        Raises
        ------
        AwsError
            The type's own, when it is not there.
        """
        return self._tags.tags_of(resource_id)

    # -- keys --------------------------------------------------------------------------------------

    @property
    def service_linked_role(self) -> str:
        """Auto Scaling's default service-linked role in this account."""
        return (
            f"arn:aws:iam::{self.world.account}:role/aws-service-role/"
            "autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
        )

    @property
    def account_root(self) -> str:
        """The account itself, which stands for every caller of the API."""
        return f"arn:aws:iam::{self.world.account}:root"

    def volume_key(self, named: str | None, snapshot: Snapshot | None) -> str:
        """The key that an encrypted volume gets (EBS user guide, "Encryption outcomes").

        The named one; else that of the account's own encrypted snapshot; else the default key,
        also for somebody else's snapshot.
        """
        if named:
            return self.world.kms.arn_of(named)
        if snapshot and snapshot.kms_key_id and snapshot.owner_id == self.world.account:
            return snapshot.kms_key_id
        return self.world.kms.default_ebs_key
