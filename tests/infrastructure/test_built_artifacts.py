"""What ``sam build`` made: small enough, complete, and able to start.

Run by ``make check-build``, which builds first: for Lambda, and once more for this machine, whose
processor may not run what was built for Lambda's.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from samtranslator.yaml_helper import yaml_parse

from snaproll import errors
from tests.infrastructure.runtime_api import invoke, isolated

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".aws-sam" / "build"
HOST_LAYER = ROOT / "build" / "host" / "layer"
HOST_RUNTIME = ROOT / "build" / "host" / "runtime"
LAYER_SOURCE = ROOT / "layers" / "snaproll" / "src"
LAYER_BUDGET_MB = 15

PYTHON = os.environ.get("SNAPROLL_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="make check-build builds what this looks at")

FUNCTIONS = sorted(
    "".join(word.capitalize() for word in app.parent.name.split("_")) + "Function"
    for app in (ROOT / "functions").glob("*/app.py")
)


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    """The resources of the built template, by logical id."""
    template = yaml_parse((BUILD / "template.yaml").read_text(encoding="utf-8"))
    resources: dict[str, Any] = template["Resources"]
    return resources


def services_with_a_client() -> set[str]:
    """The services that the package makes SDK clients of."""
    runtime = (LAYER_SOURCE / "snaproll" / "runtime.py").read_text(encoding="utf-8")
    return set(re.findall(r'self\.client\("(\w+)"\)', runtime))


def test_the_zipped_layer_keeps_its_budget(tmp_path: Path) -> None:
    archive = tmp_path / "layer.zip"
    folder = BUILD / "SnaprollLayer"
    with ZipFile(archive, "w", ZIP_DEFLATED) as zipped:
        for file in sorted(folder.rglob("*")):
            zipped.write(file, file.relative_to(folder))

    assert archive.stat().st_size <= LAYER_BUDGET_MB * 1_000_000


def test_the_layer_holds_machine_code_for_the_functions_alone() -> None:
    libraries = [library.name for library in (BUILD / "SnaprollLayer").rglob("*.so")]

    assert libraries
    assert [name for name in libraries if "cpython-313-aarch64-linux-gnu" not in name] == []


def test_the_layer_holds_the_descriptions_of_the_services_used_and_of_no_other() -> None:
    data = BUILD / "SnaprollLayer" / "python" / "botocore" / "data"

    assert {folder.name for folder in data.iterdir() if folder.is_dir()} == services_with_a_client()


def test_the_layer_makes_every_client_from_what_it_holds() -> None:
    command, environment = isolated(Path(PYTHON), HOST_LAYER)
    program = f"""
import boto3, snaproll.runtime
for service in {sorted(services_with_a_client())}:
    client = snaproll.runtime._client(service)
    assert client.meta.endpoint_url.startswith("https://"), service
"""

    made = subprocess.run(  # noqa: S603 - our own program
        [*command, "-c", program], env=environment, capture_output=True, text=True, check=False
    )

    assert made.returncode == 0, made.stderr


def test_each_function_was_built(built: dict[str, Any]) -> None:
    functions = [name for name, it in built.items() if it["Type"] == "AWS::Serverless::Function"]

    assert sorted(functions) == FUNCTIONS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_built_function_starts_and_answers(name: str, built: dict[str, Any]) -> None:
    folder = BUILD / built[name]["Properties"]["CodeUri"]
    command, environment = isolated(Path(PYTHON), HOST_LAYER, HOST_RUNTIME)
    environment |= {"SNAPROLL_ENVIRONMENT": "test", "SNAPROLL_LEDGER_TABLE": "ledger"}

    answer = invoke(command, environment, folder, "app.handler", {"not": "an event of ours"})

    assert answer.kind == "error"
    assert answer.body["errorType"] == errors.InvalidRequestError.__name__, answer.body
