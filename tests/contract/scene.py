"""Where the templates of the contract's stacks are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
FLEET_TEMPLATE = ROOT / "fleet" / "template.yaml"
