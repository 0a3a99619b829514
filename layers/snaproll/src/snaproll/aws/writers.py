"""Writer parameters in Parameter Store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from snaproll.aws.refusals import SDK_ERRORS, code_of, named, named_errors
from snaproll.domain.writer import WRITER_NAME, Writer, WriterPolicy, is_writer_name
from snaproll.errors import InvalidWriterConfigurationError, UnknownWriterError
from snaproll.explain import explain

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


@dataclass(frozen=True, slots=True)
class UnreadableWriter:
    """A writer parameter that does not follow the schema, and why."""

    writer: str
    problem: str


class Writers:
    """The writers of one environment."""

    def __init__(self, ssm: SSMClient, environment: str) -> None:
        self._ssm = ssm
        self._path = f"/snaproll/{environment}/writers"

    def get(self, name: str) -> Writer:
        """One writer.

        Raises
        ------
        UnknownWriterError
            When it has no parameter in this environment.
        InvalidWriterConfigurationError
            When its parameter does not follow the schema.
        """
        parameter = f"{self._path}/{name}"
        unknown = UnknownWriterError(
            f'No writer "{name}" is configured: the parameter {parameter} does not exist. '
            f"List the writers with: aws ssm get-parameters-by-path --path {self._path}"
        )
        if not is_writer_name(name):
            raise unknown
        try:
            reply = self._ssm.get_parameter(Name=parameter)
        except SDK_ERRORS as error:
            if code_of(error) == "ParameterNotFound":
                raise unknown from error
            raise named(error, f"read the parameter {parameter}") from error
        found = self._parse(name, reply["Parameter"].get("Value", ""))
        if isinstance(found, UnreadableWriter):
            raise InvalidWriterConfigurationError(found.problem)
        return found

    def all(self) -> Iterator[Writer | UnreadableWriter]:
        """Every writer of the environment, those with a broken parameter among them."""
        with named_errors(f"list the parameters under {self._path}"):
            pages = self._ssm.get_paginator("get_parameters_by_path").paginate(
                Path=self._path, Recursive=False
            )
            for page in pages:
                for one in page["Parameters"]:
                    name = one.get("Name", "").removeprefix(f"{self._path}/")
                    yield self._parse(name, one.get("Value", ""))

    def _parse(self, name: str, value: str) -> Writer | UnreadableWriter:
        parameter = f"{self._path}/{name}"
        if not is_writer_name(name):
            return UnreadableWriter(
                name,
                f'The parameter {parameter} names a writer "{name}"; allowed is {WRITER_NAME}.',
            )
        try:
            return Writer(name=name, policy=WriterPolicy.model_validate_json(value))
        except ValidationError as error:
            return UnreadableWriter(name, explain(f"The parameter {parameter}", error))
