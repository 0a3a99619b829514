"""Draws ``docs/presets.svg`` from ``docs/presets.json``; needs the requirements of ``charts``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt

DOCS: Final = Path(__file__).parents[1] / "docs"
CAPACITY: Final = 10


def main() -> None:
    """Draw one step line for each of the settings."""
    rows: list[dict[str, Any]] = json.loads((DOCS / "presets.json").read_text("utf-8"))
    # The same figures give the same file, byte for byte.
    mpl.rcParams["svg.hashsalt"] = "presets"
    figure, axes = plt.subplots(figsize=(8, 4))
    shown = [row for row in rows if row["capacity"] == CAPACITY]
    longest = max(row["fresh_minutes"] for row in shown)
    for row in shown:
        minutes = [0.0, *(minute for minute, _ in row["course"]), longest]
        fresh = [0, *(fresh for _, fresh in row["course"]), CAPACITY]
        share = [100 * one / CAPACITY for one in fresh]
        axes.step(minutes, share, where="post", label=row["settings"], linewidth=2)
    axes.set_xlabel("minutes since the refresh began")
    axes.set_ylabel("instances on the new snapshot, %")
    axes.set_title(f"A healthy snapshot on {CAPACITY} instances")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(DOCS / "presets.svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
