"""Whether a fleet is what its ledger says: what its group saves, and what each instance runs.

A release is told by its snapshot: another launch template version with the live snapshot is no
drift, whatever else is different in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snaproll.domain.group import Group, Instance
from snaproll.domain.release import Release, TemplateVersion
from snaproll.domain.wording import counted, listed

_OURS = "snaproll: "
"""What the descriptions of the versions begin with that a rollout makes."""


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What a launch template version brings, and who made it; ``note`` is its description."""

    snapshot: str | None
    note: str = ""
    made_by: str = ""

    @property
    def ours(self) -> bool:
        """Whether a rollout made it."""
        return self.note.startswith(_OURS)

    @property
    def data(self) -> str:
        """What is on its data volume, in words."""
        return self.snapshot or "an empty data volume"


Versions = Mapping[TemplateVersion, VersionFacts]


@dataclass(frozen=True, slots=True)
class Drift:
    """How a fleet differs from its ledger.

    ``key`` is the same as long as the difference is: which instances are concerned may change.
    ``what`` and ``cause`` are sentences without their full stops.
    """

    key: str
    what: str
    cause: str


def versions_to_read(live: Release, group: Group) -> frozenset[TemplateVersion]:
    """The versions that decide, but for the live one: that is known, and versions never change."""
    used = {one.version for one in _judged(group)} | {group.saved}
    return frozenset(one for one in used if one is not None and one != live.template)


def adopted_version(live: Release, group: Group, versions: Versions) -> TemplateVersion | None:
    """Another version than the ledger's that the group saves with the live snapshot."""
    saved = group.saved
    if saved is None or saved == live.template or saved not in versions:
        return None
    return saved if versions[saved].snapshot == live.snapshot else None


def find_drift(live: Release, group: Group, versions: Versions) -> Drift | None:
    """Tell how a group differs from what is live on it, and why that may be."""
    differences = [_of_saved(live, group, versions), *_of_instances(live, group, versions)]
    found = [one for one in differences if one is not None]
    if not found:
        return None
    return Drift(
        key="; ".join(one.key for one in found),
        what="; ".join(one.what for one in found),
        # What the group saves explains the instances that were launched from it.
        cause=found[0].cause,
    )


def _judged(group: Group) -> list[Instance]:
    # What becomes of instances in standby is said by the policy, and they serve nobody.
    return [one for one in group.members if not one.standby]


def _of_saved(live: Release, group: Group, versions: Versions) -> Drift | None:
    saved = group.saved
    if saved is None:
        what = f"the group {group.name} names {group.saved_text} and no version by number"
        return Drift(what, what, "a stack update or somebody's update of the group")
    if saved == live.template:
        return None
    facts = versions.get(saved)
    if facts is None:
        what = f"the group {group.name} saves {saved}, which does not exist any more"
        return Drift(what, what, "somebody deleted a version that is in use")
    if facts.snapshot == live.snapshot:
        return None
    what = f"the group {group.name} saves {saved} with {facts.data}"
    return Drift(what, what, _cause_of_saved(live, saved, facts))


def _cause_of_saved(live: Release, saved: TemplateVersion, facts: VersionFacts) -> str:
    by = f" (made by {facts.made_by})" if facts.made_by else ""
    if saved.template_id != live.template.template_id:
        return f"a stack update or somebody put another launch template on the group{by}"
    if facts.ours:
        return (
            f"somebody put a version back that snaproll had made for {facts.data}, or a rollout "
            f"that was given up came to its end"
        )
    if saved.version > live.template.version:
        return f"a stack update or somebody's update of the group put {facts.data} back{by}"
    return f"a stack or somebody set the group back to an older version{by}"


def _of_instances(live: Release, group: Group, versions: Versions) -> list[Drift]:
    by_version: dict[TemplateVersion | None, list[str]] = {}
    for one in _judged(group):
        if one.version != live.template:
            by_version.setdefault(one.version, []).append(one.id)
    found = []
    for version in sorted(by_version, key=lambda one: one.version if one else 0):
        facts = versions.get(version) if version else None
        if facts is not None and facts.snapshot == live.snapshot:
            continue
        found.append(_of_version(live, version, facts, by_version[version]))
    return found


def _of_version(
    live: Release, version: TemplateVersion | None, facts: VersionFacts | None, ids: list[str]
) -> Drift:
    who = f"{counted(len(ids), 'instance')} ({listed(ids)})"
    if version is None:
        of_none = "of no launch template"
        return Drift(f"instances {of_none}", f"{who} {of_none}", "somebody attached them by hand")
    of_it = f"of {version} with {facts.data}" if facts else f"of {version}, which was deleted"
    cause = _cause_of_instances(live, version, facts)
    return Drift(f"instances {of_it}", f"{who} {of_it}", cause)


def _cause_of_instances(live: Release, version: TemplateVersion, facts: VersionFacts | None) -> str:
    by = f" (made by {facts.made_by})" if facts and facts.made_by else ""
    # The numbers of two launch templates have nothing to do with each other.
    comparable = version.template_id == live.template.template_id
    if comparable and version.version < live.template.version:
        return (
            f"they were launched before {live.snapshot} became live and were never replaced, "
            f"or by hand"
        )
    if facts is not None and facts.ours:
        return "a rollout that was given up left them behind"
    if comparable:
        return f"somebody launched them from a newer version, or refreshed the group{by}"
    return f"somebody launched them from another launch template{by}"
