"""What the answers of load balancing have in common: pages, attributes and tags."""

from __future__ import annotations

from embedded.world.service import Params, Reply

PAGE = 400


def tags_of_request(params: Params) -> dict[str, str]:
    """The tags that a request gives."""
    return {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", [])}


def attribute_shapes(attributes: dict[str, str]) -> Reply:
    """Attributes as elbv2 lists them."""
    return {"Attributes": [{"Key": key, "Value": value} for key, value in attributes.items()]}


def page_of(member: str, shapes: list[Reply], params: Params) -> Reply:
    """One page of an answer, with NextMarker when there is another."""
    start = int(params.get("Marker", "0"))
    end = start + min(params.get("PageSize", PAGE), PAGE)
    reply: Reply = {member: shapes[start:end]}
    if end < len(shapes):
        reply["NextMarker"] = str(end)
    return reply
