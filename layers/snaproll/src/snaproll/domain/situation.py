"""A fleet as it stands, in words, for the person who is called to it."""

from __future__ import annotations

from snaproll.domain.group import FleetView, Instance
from snaproll.domain.release import TemplateVersion

_NAMED = 20
"""How many instances are named one by one; of a large fleet the rest is counted."""


def situation(view: FleetView, source: TemplateVersion, candidate: TemplateVersion) -> str:
    """Group, versions and instances with their states."""
    group = view.group
    shown = [_told(view, one) for one in group.instances[:_NAMED]]
    rest = len(group.instances) - len(shown)
    more = f" and {rest} more" if rest > 0 else ""
    return (
        f"Group {group.name} saves {group.saved_text}, wants {group.desired} instances, and was "
        f"rolled from {source} to {candidate}. Its instances: {', '.join(shown) or 'none'}{more}."
    )


def _told(view: FleetView, one: Instance) -> str:
    version = f"version {one.version.version}" if one.version else "of no version"
    target = view.targets.get(one.id)
    return f"{one.id} {one.lifecycle} {version} {target or 'not registered'}"
