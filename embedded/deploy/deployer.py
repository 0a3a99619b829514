"""Deploys a template from the local disk at one emulated instant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from embedded import plain
from embedded.deploy.assembly import Assembly
from embedded.deploy.blueprint import blueprint
from embedded.deploy.errors import DeploymentError
from embedded.deploy.parameters import parameter_values
from embedded.deploy.site import Site
from embedded.deploy.stack import Stack
from embedded.direct import SDK_ATTEMPTS, DirectSession

if TYPE_CHECKING:
    from embedded.world.world import World

CALLER: Final = "cloudformation"


def deploy(
    world: World,
    template: Path,
    parameters: Mapping[str, str] | None = None,
    *,
    name: str = "snaproll",
    check_replies: bool = True,
    check_requests: bool = True,
) -> Stack:
    """Deploy a template from the local disk into a world.

    Parameters
    ----------
    world
        Where the resources are made.
    template
        A SAM or CloudFormation template; local addresses in it start from its folder.
    parameters
        Values of its parameters, where they differ from the defaults.
    name
        The stack's name, which the physical names begin with.
    check_replies, check_requests
        Hold what CloudFormation is answered, and what it asks, against botocore's shapes.

    Raises
    ------
    DeploymentError
        With the place in the template: for resources and properties that would be dropped, for
        functions that find nothing, and for what a service refuses.
    """
    given = dict(parameters or {})
    path = template.resolve()
    plan = blueprint(path.read_text(encoding="utf-8"), given)
    plain.attach(world)
    site = new_site(
        world,
        Stack(name),
        path.parent,
        check_replies=check_replies,
        check_requests=check_requests,
    )
    values = parameter_values(plan.parameters, given, site.parameter)
    assembly = Assembly(site, plan, values, world.arn("cloudformation", f"stack/{name}/embedded"))
    for _ in assembly.carry_out():
        pass
    return site.stack


def new_site(
    world: World,
    stack: Stack,
    root: Path,
    *,
    on_view: bool = False,
    check_replies: bool = True,
    check_requests: bool = True,
) -> Site:
    """Give the place where a stack is built, with CloudFormation as its caller."""
    session = DirectSession(
        world, CALLER, SDK_ATTEMPTS, check_replies=check_replies, check_requests=check_requests
    )
    return Site(world, stack, root, session, on_view)


__all__ = ["DeploymentError", "deploy", "new_site"]
