"""Which account the checks are run against; refuses what was not said in so many words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snaproll.explain import explain

TRIES: Final = 8
"""Of one call in all: a run of many small calls meets throttling, which is no answer."""
FIRST_TRIES: Final = 2
"""Of the first call: where nothing answers, the person should hear of it at once."""
CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0
"""How long one try may take; botocore would wait for a minute."""
OF_THE_MACHINE: Final = ("ec2-credentials-file", "boto-config", "container-role", "iam-role")
"""Where the SDK looks for credentials when the profile has none.

Not asked: a profile without credentials must not become the role of the machine. One that names a
role's source itself (``credential_source``) still has it. The names are those of
``botocore.credentials``, each provider's METHOD.
"""
PARTITION: Final = "aws"


class RefusedError(Exception):
    """The program will not run like this; the text says what is missing."""


class Settings(BaseModel):
    """What the person said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = Field(min_length=1, max_length=128)
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    endpoint_url: str | None = Field(default=None, pattern=r"^https?://")


class Identity(BaseModel):
    """Who AWS says that is calling (``sts get-caller-identity``)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    Account: str = Field(pattern=r"^\d{12}$")
    Arn: str


class Account:
    """An account that was named explicitly; holds nothing but the SDK's session.

    Raises
    ------
    RefusedError
        When the profile has no credentials, or AWS does not take them.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        try:
            self._session = _session(settings)
            self.client: Callable[[str], Any] = cache(self._client)
            reply = self._client("sts", tries=FIRST_TRIES).get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            raise RefusedError(
                f"The profile {settings.profile} cannot be used in {settings.region}: {error}"
            ) from error
        self.identity = Identity.model_validate(reply)
        partition = self.identity.Arn.split(":")[1]
        if partition != PARTITION:
            raise RefusedError(
                f"The account is in the partition {partition}; the embedded AWS plays only "
                f"{PARTITION}."
            )

    def _client(self, service: str, tries: int = TRIES) -> Any:
        make: Callable[..., Any] = self._session.client
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": tries},
        )
        if self.settings.endpoint_url is None:
            return make(service, config=config)
        local = config.merge(Config(proxies={}, inject_host_prefix=False))
        return make(service, endpoint_url=self.settings.endpoint_url, config=local)


def _session(settings: Settings) -> boto3.Session:
    """A session with the profile's own credentials, and no others."""
    core = botocore.session.Session(profile=settings.profile)
    resolver = core.get_component("credential_provider")
    for name in OF_THE_MACHINE:
        resolver.remove(name)
    return boto3.Session(botocore_session=core, region_name=settings.region)


def settings_from(
    environment: Mapping[str, str], *, profile: str | None, region: str | None, url: str | None
) -> Settings:
    """Put what was said together: an option comes before a variable.

    ``AWS_DEFAULT_REGION`` does not count: a Region that something else has set is none that a
    person named.

    Raises
    ------
    RefusedError
        When the profile or the Region was not named, or is none.
    """
    named = {
        "profile": profile or environment.get("AWS_PROFILE"),
        "region": region or environment.get("AWS_REGION"),
        "endpoint_url": url or environment.get("AWS_ENDPOINT_URL") or None,
    }
    missing = [
        f"AWS_{name.upper()} or --{name}" for name in ("profile", "region") if not named[name]
    ]
    if missing:
        raise RefusedError(
            f"Name the account explicitly: {' and '.join(missing)} is missing. Nothing is asked "
            f"of an account that happens to be the default."
        )
    try:
        return Settings.model_validate(named)
    except ValidationError as error:
        raise RefusedError(explain("What was said", error)) from error


def confirm(account: str, typed: str | None) -> None:
    """Hold the account id that was typed against the one that answers.

    Raises
    ------
    RefusedError
        When none was typed, or another.
    """
    if typed is None:
        raise RefusedError(
            f"The mutating part makes and deletes things in the account {account}. Type its id to "
            f"say that you mean it: --account <id> (make conformance MUTATING=1 ACCOUNT=<id>)."
        )
    if typed != account:
        raise RefusedError(
            f"You typed the account {typed}, and the credentials are of {account}. Nothing was "
            f"made."
        )
