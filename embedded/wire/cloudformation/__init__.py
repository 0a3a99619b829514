"""CloudFormation as a service of the world, on top of the project's own deployer."""

from embedded.wire.cloudformation.service import CloudFormation

__all__ = ["CloudFormation"]
