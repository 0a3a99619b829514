"""What the repository promises as a whole: its shape, its locks, nothing of one machine in it."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "snaproll"
LOCKS = [
    LAYER / "src" / "requirements.txt",
    *(ROOT / "requirements" / f"{group}.txt" for group in ("dev", "runtime", "sam", "scan", "uv")),
]
TOP_LEVEL = ["template.yaml", "samconfig.toml", "functions", "layers", "statemachines", "tests"]
MACHINE_PATH = re.compile(r"(?:^|[^\w./-])/(?:work|root|home|farm)/")
REGISTRY = re.compile(r"(?:pypi|pythonhosted|npmjs)\.(?:org|com)\b")
ADDRESS = re.compile(r"https?://|--(?:index-url|extra-index-url|find-links|trusted-host)|file:")


def tracked_files() -> list[Path]:
    """Every file of the repository that is, or could be, committed."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def locked(lock: Path) -> dict[str, Requirement]:
    """The requirement of each package in a lock, by canonical name."""
    pins = re.findall(r"^([a-zA-Z0-9].*?) \\$", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(pin.name): pin for pin in map(Requirement, pins)}


def settings(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in tracked_files():
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    return found


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_the_repository_has_the_top_level_name(name: str) -> None:
    assert (ROOT / name).exists()


def test_no_file_mentions_a_path_of_one_machine() -> None:
    assert lines_that_match(MACHINE_PATH) == []


def test_no_file_names_a_package_registry() -> None:
    assert lines_that_match(REGISTRY) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
class TestEachLock:
    def test_holds_no_address(self, lock: Path) -> None:
        assert not ADDRESS.search(lock.read_text(encoding="utf-8"))

    def test_pins_every_package_to_one_version_by_hash(self, lock: Path) -> None:
        entries = re.split(r"\n(?=[a-zA-Z0-9])", lock.read_text(encoding="utf-8"))[1:]

        assert entries
        assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
        assert [entry for entry in entries if not re.match(r"[\w.-]+==[\w.]+ ", entry)] == []


def test_the_node_lock_holds_hashes_and_no_address() -> None:
    lock = (ROOT / ".ci" / "node" / "package-lock.json").read_text(encoding="utf-8")

    assert '"integrity": "sha512-' in lock
    assert '"resolved"' not in lock


def test_the_layer_lock_satisfies_what_the_layer_asks_for() -> None:
    asked = map(Requirement, settings(LAYER / "pyproject.toml")["project"]["dependencies"])
    pins = locked(LAYER / "src" / "requirements.txt")

    for requirement in asked:
        pin = pins[canonicalize_name(requirement.name)]
        (version,) = [specifier.version for specifier in pin.specifier]
        assert version in requirement.specifier, f"{pin} does not satisfy {requirement}"


def test_the_layer_is_tested_with_the_versions_that_it_ships() -> None:
    shipped = locked(LAYER / "src" / "requirements.txt")
    tested = locked(ROOT / "requirements" / "dev.txt")

    assert {name: str(pin.specifier) for name, pin in shipped.items()} == {
        name: str(tested[name].specifier) for name in shipped
    }


def test_the_layer_and_the_repository_have_one_version() -> None:
    layer = settings(LAYER / "pyproject.toml")["project"]
    repository = settings(ROOT / "pyproject.toml")["project"]

    assert layer["version"] == repository["version"]
    assert layer["requires-python"] == repository["requires-python"]


def test_every_make_target_says_what_it_is_for() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE)

    undescribed = [t for t in targets if not re.search(rf"^{t}:.*## \S", makefile, re.MULTILINE)]

    assert targets
    assert undescribed == []
