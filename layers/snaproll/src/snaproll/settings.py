"""What a function is told by its environment; read when it is first needed, never at import."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, ValidationError

from snaproll.errors import SettingsError
from snaproll.explain import explain
from snaproll.model import Value


class Settings(Value):
    """A function's settings; each is an environment variable that template.yaml sets."""

    environment: str = Field(alias="SNAPROLL_ENVIRONMENT", min_length=1)
    ledger_table: str = Field(alias="SNAPROLL_LEDGER_TABLE", min_length=1)
    rollout_machine: str = Field(alias="SNAPROLL_ROLLOUT_MACHINE", default="")
    """ARN of the rollout state machine; set only where executions are started."""
    publish_machine: str = Field(alias="SNAPROLL_PUBLISH_MACHINE", default="")
    """ARN of the publish state machine."""
    probe_prefix: str = Field(alias="SNAPROLL_PROBE_PREFIX", default="")
    """What the names of probes begin with; set only where they are looked for."""

    function: str = Field(alias="AWS_LAMBDA_FUNCTION_NAME", default="")
    """The function's own name, which Lambda sets; who divides its work invokes itself."""

    @property
    def stop_parameter(self) -> str:
        """The parameter that stops every rollout of the environment while it exists."""
        return f"/snaproll/{self.environment}/stop"


def from_env(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises
    ------
    SettingsError
        When one is missing or empty.
    """
    try:
        return Settings.model_validate(dict(environment))
    except ValidationError as error:
        raise SettingsError(explain("The function's environment", error)) from error
