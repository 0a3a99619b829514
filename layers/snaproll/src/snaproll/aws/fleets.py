"""Fleet parameters in Parameter Store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from snaproll.aws.refusals import SDK_ERRORS, code_of, named, named_errors
from snaproll.domain.fleet import FLEET_NAME, Fleet, FleetPolicy, is_fleet_name
from snaproll.errors import InvalidFleetConfigurationError, UnknownFleetError
from snaproll.explain import explain

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A fleet parameter that does not follow the schema, and why."""

    fleet: str
    problem: str


class Fleets:
    """The fleets of one environment."""

    def __init__(self, ssm: SSMClient, environment: str) -> None:
        self._ssm = ssm
        self._path = f"/snaproll/{environment}/fleets"

    def parameter(self, name: str) -> str:
        """The name of a fleet's parameter."""
        return f"{self._path}/{name}"

    def get(self, name: str) -> Fleet:
        """One fleet.

        Raises
        ------
        UnknownFleetError
            When it has no parameter in this environment.
        InvalidFleetConfigurationError
            When its parameter does not follow the schema.
        """
        parameter = self.parameter(name)
        unknown = UnknownFleetError(
            f'No fleet "{name}" is configured: the parameter {parameter} does not exist. '
            f"List the fleets with: aws ssm get-parameters-by-path --path {self._path}"
        )
        if not is_fleet_name(name):
            raise unknown
        try:
            reply = self._ssm.get_parameter(Name=parameter)
        except SDK_ERRORS as error:
            if code_of(error) == "ParameterNotFound":
                raise unknown from error
            raise named(error, f"read the parameter {parameter}") from error
        found = self._parse(name, reply["Parameter"].get("Value", ""))
        if isinstance(found, Unreadable):
            raise InvalidFleetConfigurationError(found.problem)
        return found

    def stop_reason(self, parameter: str) -> str | None:
        """What the environment's stop switch says; None while there is none."""
        try:
            return self._ssm.get_parameter(Name=parameter)["Parameter"].get("Value", "")
        except SDK_ERRORS as error:
            if code_of(error) == "ParameterNotFound":
                return None
            raise named(error, f"read the parameter {parameter}") from error

    def all(self) -> Iterator[Fleet | Unreadable]:
        """Every fleet of the environment, those with a broken parameter among them."""
        with named_errors(f"list the parameters under {self._path}"):
            pages = self._ssm.get_paginator("get_parameters_by_path").paginate(
                Path=self._path, Recursive=False
            )
            for page in pages:
                for one in page["Parameters"]:
                    name = one.get("Name", "").removeprefix(f"{self._path}/")
                    yield self._parse(name, one.get("Value", ""))

    def _parse(self, name: str, value: str) -> Fleet | Unreadable:
        parameter = self.parameter(name)
        if not is_fleet_name(name):
            return Unreadable(
                name, f'The parameter {parameter} names a fleet "{name}"; allowed is {FLEET_NAME}.'
            )
        try:
            return Fleet(name=name, policy=FleetPolicy.model_validate_json(value))
        except ValidationError as error:
            return Unreadable(name, explain(f"The parameter {parameter}", error))
