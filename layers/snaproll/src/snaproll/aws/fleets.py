"""Fleet parameters in Parameter Store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic import ValidationError

from snaproll.aws.refusals import SDK_ERRORS, code_of, named, named_errors
from snaproll.domain.fleet import FLEET_NAME, Fleet, FleetPolicy, is_fleet_name
from snaproll.errors import InvalidFleetConfigurationError, UnknownFleetError
from snaproll.explain import explain

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import ParameterTypeDef


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A fleet parameter that does not follow the schema, and why."""

    fleet: str
    problem: str


@dataclass(frozen=True, slots=True)
class FleetParameter:
    """A fleet parameter as it is written; ``changed_at_ms`` is when, in milliseconds since 1970."""

    name: str
    value: str
    changed_at_ms: int


@lru_cache(maxsize=128)
def _policy(text: str) -> FleetPolicy:
    # Read for every look at a fleet, and hardly ever changed.
    return FleetPolicy.model_validate_json(text)


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
        found = self.read(name) if is_fleet_name(name) else None
        if found is None:
            raise UnknownFleetError(
                f'No fleet "{name}" is configured: the parameter {self.parameter(name)} does not '
                f"exist. List the fleets with: aws ssm get-parameters-by-path --path {self._path}"
            )
        fleet = self.parse(found)
        if isinstance(fleet, Unreadable):
            raise InvalidFleetConfigurationError(fleet.problem)
        return fleet

    def read(self, name: str) -> FleetParameter | None:
        """A fleet's parameter as it is written, None when there is none."""
        parameter = self.parameter(name)
        try:
            return self._written(self._ssm.get_parameter(Name=parameter)["Parameter"])
        except SDK_ERRORS as error:
            if code_of(error) == "ParameterNotFound":
                return None
            raise named(error, f"read the parameter {parameter}") from error

    def stop_reason(self, parameter: str) -> str | None:
        """What the environment's stop switch says; None while there is none."""
        try:
            return self._ssm.get_parameter(Name=parameter)["Parameter"].get("Value", "")
        except SDK_ERRORS as error:
            if code_of(error) == "ParameterNotFound":
                return None
            raise named(error, f"read the parameter {parameter}") from error

    def name_in(self, parameter: str) -> str | None:
        """What a parameter's name says of the fleet's; None when it is none of this environment."""
        name = parameter.removeprefix(f"{self._path}/")
        return None if name == parameter or "/" in name else name

    def all(self) -> Iterator[FleetParameter]:
        """Every fleet parameter of the environment, ten to a call."""
        with named_errors(f"list the parameters under {self._path}"):
            pages = self._ssm.get_paginator("get_parameters_by_path").paginate(
                Path=self._path, Recursive=False
            )
            for page in pages:
                yield from map(self._written, page["Parameters"])

    def _written(self, raw: ParameterTypeDef) -> FleetParameter:
        return FleetParameter(
            name=raw.get("Name", "").removeprefix(f"{self._path}/"),
            value=raw.get("Value", ""),
            changed_at_ms=int(raw["LastModifiedDate"].timestamp() * 1000),
        )

    def parse(self, found: FleetParameter) -> Fleet | Unreadable:
        """The fleet that a parameter describes, or what is wrong with it."""
        name, parameter = found.name, self.parameter(found.name)
        if not is_fleet_name(name):
            return Unreadable(
                name, f'The parameter {parameter} names a fleet "{name}"; allowed is {FLEET_NAME}.'
            )
        try:
            return Fleet(name=name, policy=_policy(found.value))
        except ValidationError as error:
            return Unreadable(name, explain(f"The parameter {parameter}", error))
