"""Rewrites methods with decorators so that a mutation tool that leaves those alone mutates them.

``@property def floor(self)`` becomes a plain method under another name, and ``floor`` the property
made of it in the line behind it, which is what a decorator means.
"""

from __future__ import annotations

import ast
from typing import Final

SUFFIX: Final = "_undecorated"
_LEFT: Final = frozenset({"classmethod", "staticmethod"})
"""Decorators that mutmut knows itself, when they stand alone."""


def undecorated(source: str) -> str:
    """The source of a module with its decorated methods taken apart."""
    lines = source.splitlines()
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    methods = [one for node in classes for one in node.body if isinstance(one, ast.FunctionDef)]
    # From the end, so that the lines before keep their numbers.
    for method in reversed(methods):
        if not _is_left(method):
            _take_apart(method, lines)
    return "\n".join(lines) + "\n"


def _is_left(method: ast.FunctionDef) -> bool:
    names = [ast.unparse(one) for one in method.decorator_list]
    return not names or (len(names) == 1 and names[0] in _LEFT)


def _take_apart(method: ast.FunctionDef, lines: list[str]) -> None:
    """Change a method in place, and what stands behind it."""
    plain = f"{method.name}{SUFFIX}"
    made = plain
    for decorator in reversed(method.decorator_list):
        made = f"{ast.unparse(decorator)}({made})"
    indent = " " * method.col_offset
    lines.insert(method.end_lineno or method.lineno, f"{indent}{method.name} = {made}")
    head = method.lineno - 1
    lines[head] = lines[head].replace(f"def {method.name}(", f"def {plain}(", 1)
    del lines[method.decorator_list[0].lineno - 1 : head]
