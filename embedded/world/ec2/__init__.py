"""EC2: snapshots, volumes, launch templates and instances."""

from embedded.world.ec2.instance import Instance, LaunchRefusedError
from embedded.world.ec2.refusals import LaunchRefusal
from embedded.world.ec2.service import EC2
from embedded.world.ec2.snapshot_store import Snapshot
from embedded.world.ec2.template_store import LaunchTemplate, LaunchTemplateVersion

__all__ = [
    "EC2",
    "Instance",
    "LaunchRefusal",
    "LaunchRefusedError",
    "LaunchTemplate",
    "LaunchTemplateVersion",
    "Snapshot",
]
