"""Every type of resource that can be deployed into a world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from embedded.deploy.kinds import fleets, functions, identity, messages, network, storage

if TYPE_CHECKING:
    from embedded.deploy.site import Kind

KINDS: Final[dict[str, Kind]] = {
    **identity.KINDS,
    **functions.KINDS,
    **messages.KINDS,
    **storage.KINDS,
    **fleets.KINDS,
    **network.KINDS,
}
