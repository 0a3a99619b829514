"""Every AWS call that snaproll makes, or tells people to make, has a contract."""

from __future__ import annotations

from typing import Final

import pytest

from embedded import plain
from embedded.world.errors import NotEmulatedError
from embedded.world.world import World
from tests.contract.made_calls import for_people, of_the_definitions, of_the_package, of_the_roles
from tools.conformance.catalogue import checks

NOT_MODELLED: Final = {
    "ec2:GetConsoleOutput": "instances of the world run no code and print nothing",
    "ecr:GetAuthorizationToken": "the fleet's own user data logs in to a registry, not snaproll",
}
"""Calls that people or instances make and that the embedded AWS does not answer."""


def contracts() -> set[str]:
    return {call for check in checks() for call in check.about}


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param(of_the_package, id="the handlers' package"),
        pytest.param(of_the_definitions, id="the state machines"),
        pytest.param(of_the_roles, id="the roles"),
    ],
)
def test_every_call_of_the_control_plane_has_a_contract(calls: object) -> None:
    made: set[str] = calls() if callable(calls) else set()

    assert made
    assert made - contracts() == set()


def test_every_command_that_people_are_told_has_a_contract() -> None:
    assert for_people() - contracts() - NOT_MODELLED.keys() == set()


def test_the_package_makes_the_calls_that_its_roles_allow_and_no_others() -> None:
    called = of_the_package() | of_the_definitions()

    assert called - of_the_roles() == {"dynamodb:TransactWriteItems"}, "IAM judges its parts"
    assert of_the_roles() - called == set()


@pytest.mark.parametrize("call", NOT_MODELLED)
def test_what_has_no_contract_is_not_modelled(call: str) -> None:
    service, _, operation = call.partition(":")
    world = World()
    plain.attach(world)

    with pytest.raises(NotEmulatedError):
        world.call(service, operation)
