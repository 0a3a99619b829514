"""A function to deploy in tests."""

from __future__ import annotations

import os
from typing import Any


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Greet whoever the event names."""
    return {"greeting": f"{os.environ['GREETING']}, {event['name']}"}
