"""Looking at a writer before anything is done to it: its volume, and those that follow it."""

from __future__ import annotations

from snaproll.contracts.publish.steps import Publish, PublishStepRequest, WriterReport
from snaproll.domain.checks import failures
from snaproll.domain.fleet import Fleet
from snaproll.domain.publishes import PublishMode, PublishOutcome, WriterState
from snaproll.domain.publishing import noted
from snaproll.domain.tags import ENVIRONMENT, PUBLISH, PUBLISH_MODE, WRITER
from snaproll.domain.volume import (
    Followers,
    Search,
    Volume,
    follower_checks,
    found_one,
    selector_tags,
    volume_checks,
)
from snaproll.domain.writer import Writer, is_instance_id, is_volume_id
from snaproll.runtime import Runtime
from snaproll.steps.publish.claim import proven
from snaproll.steps.publish.fleets import known_fleets


def inspect_writer(request: PublishStepRequest, runtime: Runtime) -> WriterReport:
    """Find the writer's volume, and make every check that a snapshot of it depends on.

    Raises
    ------
    ClaimLostError
        The publish lost its claim.
    """
    publish = request.publish
    writer, environment = publish.of_writer, runtime.settings.environment
    search = find(writer, runtime)
    volume = search.found[0] if len(search.found) == 1 else None
    followers = _followers(writer, runtime)
    own = {mode: own_tags(publish, environment, mode) for mode in PublishMode}
    checks = [
        found_one(writer, search),
        *volume_checks(writer, environment, volume),
        *follower_checks(writer, followers, volume, own),
    ]
    found = failures(checks)
    if not found and volume is not None:
        _note(publish, volume, runtime)
    tags, _ = selector_tags(writer, followers)
    if not found:
        message = f"Writer {writer.name} passed all {len(checks)} checks."
    else:
        message = "; ".join(one.reason for one in found) + "."
    return WriterReport(
        passed=not found,
        message=message,
        checks=checks,
        outcome=_outcome(checks_failed={one.name for one in found}),
        volume=volume.id if volume else None,
        instance=volume.instance if volume else None,
        tags=tags,
    )


def _outcome(checks_failed: set[str]) -> PublishOutcome | None:
    if "volume-found" in checks_failed:
        return PublishOutcome.VOLUME_NOT_FOUND
    return PublishOutcome.WRITER_NOT_READY if checks_failed else None


def _note(publish: Publish, volume: Volume, runtime: Runtime) -> None:
    def transition(state: WriterState) -> WriterState:
        claim = proven(publish, state)
        return noted(state, claim, volume=volume.id, instance=volume.instance)

    runtime.writer_ledger.change(publish.writer, transition)


def own_tags(publish: Publish, environment: str, mode: PublishMode) -> dict[str, str]:
    """What snaproll itself writes on a snapshot, its data time apart."""
    return {
        WRITER: publish.writer,
        ENVIRONMENT: environment,
        PUBLISH: publish.id,
        PUBLISH_MODE: mode.value,
    }


def _followers(writer: Writer, runtime: Runtime) -> Followers:
    """The fleets of the environment: those that follow as they are now, the others by the index."""
    followers, problems = [], []
    for name in writer.policy.fleets:
        found = runtime.fleets.read(name)
        fleet = runtime.fleets.parse(found) if found is not None else None
        if isinstance(fleet, Fleet):
            followers.append(fleet)
        elif fleet is not None:
            problems.append(f"fleet {name} cannot be read: {fleet.problem.rstrip('.')}")
    others = [one for one in known_fleets(runtime) if one.name not in writer.policy.fleets]
    return Followers([*followers, *others], problems)


# -- finding the volume ---------------------------------------------------------------------------


def find(writer: Writer, runtime: Runtime) -> Search:
    """Look for the writer's volume in the way that its parameter says."""
    source = writer.policy.volume
    if source.id is not None:
        return _by_id(writer, source.id, runtime)
    if source.tags is not None:
        return Search(
            runtime.volumes.tagged(source.tags),
            f"its tags {_shown(source.tags)}",
            "Mark it: aws ec2 create-tags --resources <volume id> --tags "
            f"{_for_command(source.tags)}",
        )
    if source.instance_tags is not None:
        return _by_instance(source.instance_tags, source.device or "", runtime)
    return _by_registry(writer, runtime)


def _by_id(writer: Writer, volume_id: str, runtime: Runtime) -> Search:
    return Search(
        runtime.volumes.get(volume_id),
        f"the id {volume_id}",
        f"Look for it with aws ec2 describe-volumes --filters "
        f'"Name=tag:{WRITER},Values={writer.name}", and put its id into the writer\'s parameter',
    )


def _by_instance(tags: dict[str, str], device: str, runtime: Runtime) -> Search:
    instances = runtime.volumes.instances(tags)
    how = f"the instance tags {_shown(tags)} and the device {device}"
    if not instances:
        return Search(
            [],
            how,
            "No instance has these tags. Mark the writer's: aws ec2 create-tags --resources "
            f"<instance id> --tags {_for_command(tags)}",
        )
    found = [one for instance in instances for one in runtime.volumes.attached(instance, device)]
    return Search(found, how, _no_such_device(", ".join(instances), device))


def _by_registry(writer: Writer, runtime: Runtime) -> Search:
    source, registry = writer.policy.volume, writer.policy.volume.registry
    if registry is None:
        raise AssertionError("the schema allows no fifth way")
    how = f"the item {_shown(registry.key)} of the registry {registry.table}"
    values = runtime.registries.values(registry.table, registry.key, registry.attribute)
    if values is None:
        return Search([], how, f"There is no table {registry.table} in this account and Region")
    if not values:
        names = " AND ".join(f"{name} = :{name}" for name in registry.key)
        return Search(
            [],
            how,
            f"No such item holds the attribute {registry.attribute}. Look at what is registered: "
            f"aws dynamodb query --table-name {registry.table} --key-condition-expression "
            f"'{names}'; has the writer registered?",
        )
    found: list[Volume] = []
    for value in dict.fromkeys(values):
        if is_volume_id(value):
            found += runtime.volumes.get(value)
        elif is_instance_id(value) and source.device is not None:
            found += runtime.volumes.attached(value, source.device)
        else:
            return Search([], how, _neither(registry.attribute, value, source.device))
    named = ", ".join(values)
    return Search(
        found,
        f"{how}, which names {named}",
        _no_such_device(named, source.device) if source.device else f"EC2 knows no volume {named}",
    )


def _neither(attribute: str, value: str, device: str | None) -> str:
    if is_instance_id(value) and device is None:
        return (
            f"Its {attribute} names the instance {value}: add to the writer's parameter, under "
            f'volume, the "device" that the data volume has on it'
        )
    return f'Its {attribute} is "{value}", neither the id of a volume nor that of an instance'


def _no_such_device(instances: str, device: str) -> str:
    return (
        f"{instances} has no volume attached as {device}. See what is attached: aws ec2 "
        f"describe-volumes --filters Name=attachment.instance-id,Values={instances}"
    )


def _shown(tags: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags.items())


def _for_command(tags: dict[str, str]) -> str:
    return " ".join(f"Key={key},Value={value}" for key, value in tags.items())
