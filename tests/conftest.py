"""What all tests have in common: a record of what the control plane's roles are used for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.world.access import Access
from tools.privileges import Recorder


@pytest.fixture(autouse=True, scope="session")
def _uses_are_recorded() -> Iterator[None]:
    """Write down what roles were used for where ``SNAPROLL_USES`` says, for the report on them."""
    folder = os.environ.get("SNAPROLL_USES")
    if folder is None:
        yield
        return
    recorder = Recorder()
    Access.on_use = recorder
    yield
    Access.on_use = None
    recorder.write(Path(folder) / f"{os.environ.get('PYTEST_XDIST_WORKER', 'all')}.json")
