"""The direction of dependencies: the contracts themselves stand in pyproject.toml."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from importlinter.api import read_configuration
from importlinter.application.use_cases import lint_imports

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "pyproject.toml"
DOMAIN = ROOT / "layers" / "snaproll" / "src" / "snaproll" / "domain"
CONTRACTS = [contract["id"] for contract in read_configuration(str(SETTINGS))["contracts_options"]]
CLOCK_READINGS = {"now", "today", "utcnow"}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_dependencies_keep_the_contract(contract: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    kept = lint_imports(
        config_filename=str(SETTINGS),
        limit_to_contracts=(contract,),
        cache_dir=None,
        no_logo=True,
    )

    assert kept, f"the import contract {contract!r} is broken; the imports are named above"


def test_the_domain_is_told_the_time_and_never_reads_it() -> None:
    readings = [
        f"{module.name}:{node.lineno}"
        for module in sorted(DOMAIN.rglob("*.py"))
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in CLOCK_READINGS
        and isinstance(node.value, ast.Name)
        and node.value.id in {"date", "datetime"}
    ]

    assert readings == []
