"""Finds what a template names on the local disk: handlers, layers, state machine definitions."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from embedded.deploy.errors import DeploymentError

if TYPE_CHECKING:
    from types import ModuleType

    from embedded.world.awslambda import Handler

_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


@cache
def load_handler(root: Path, code: str, handler: str) -> Handler:
    """Import a function's handler, once in a process.

    The module is called as from the template's folder, ``functions.watch_health.app``, so that a
    test that imports it by that name gets the same one.

    Raises
    ------
    DeploymentError
        When there is no such file, or no such name in it.
    """
    module_name, _, attribute = handler.rpartition(".")
    file = root / code / (module_name.replace(".", "/") + ".py")
    if not file.is_file():
        raise DeploymentError(f"CodeUri {code}", f"the handler {handler} needs the file {file}")
    dotted = ".".join([*Path(code).parts, *module_name.split(".")])
    module = _module(dotted, file)
    try:
        found: Handler = getattr(module, attribute)
    except AttributeError:
        raise DeploymentError(f"CodeUri {code}", f"{file.name} has no {attribute}") from None
    return found


def _module(dotted: str, file: Path) -> ModuleType:
    known = sys.modules.get(dotted)
    if known is not None and known.__file__ == str(file):
        return known
    # Another template's function of the same name must not take this one's place.
    name = dotted if known is None else f"{dotted}@{file.parent}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise DeploymentError(str(file), "Python cannot import it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def put_layer_on_path(folder: Path) -> None:
    """Let handlers import what a layer holds, which Lambda unpacks into ``/opt/python``."""
    if not folder.is_dir():
        raise DeploymentError("ContentUri", f"there is no folder {folder}")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@cache
def load_definition(file: Path, substitutions: tuple[tuple[str, str], ...]) -> str:
    """Read a state machine definition in YAML or JSON and put values into it; gives JSON.

    Raises
    ------
    DeploymentError
        When there is no such file, or a ``${…}`` is left over: Step Functions would take it as
        it stands, and fail when it gets there.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise DeploymentError(f"DefinitionUri {file}", str(error)) from error
    for name, value in substitutions:
        text = text.replace(f"${{{name}}}", value)
    document: Any = yaml.safe_load(text)
    made = json.dumps(document)
    if left := _PLACEHOLDER.search(made):
        raise DeploymentError(f"DefinitionUri {file.name}", f"nothing stands for {left[0]}")
    return made
