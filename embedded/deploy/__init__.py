"""Deploys a template from the local disk into a world, strictly.

What would be dropped fails the deployment, with the place in the template; the short list of what
may be dropped, each with its reason, stands beside the kind of resource it belongs to.
"""

from embedded.deploy.deployer import deploy
from embedded.deploy.errors import DeploymentError
from embedded.deploy.stack import Resource, Role, Stack

__all__ = ["DeploymentError", "Resource", "Role", "Stack", "deploy"]
