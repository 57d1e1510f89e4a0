"""What a key is for: the docstring behind its field in `model`.

Enters: a class. Leaves: field -> docstring. Must not: be asked where nothing is wrong: to read the sources of all
classes takes longer than to read a configuration, so they are read for an error and for the JSON Schema only.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc, getsource
from itertools import pairwise


@cache
def meanings(shape: type) -> dict[str, str]:
    """Field -> what stands behind it, those of the classes above included."""
    found: dict[str, str] = {}
    for each in reversed(shape.__mro__):
        if each.__module__.startswith("sipguard."):
            found |= _written(each.__module__).get(each.__name__, {})
    return found


@cache
def _written(module: str) -> dict[str, dict[str, str]]:
    """Class -> field -> docstring, of one module."""
    tree = ast.parse(getsource(sys.modules[module]))
    return {node.name: dict(_behind(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _behind(shape: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """(field, docstring) of each field of a class that has one."""
    for field, text in pairwise(shape.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            value = text.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield field.target.id, cleandoc(value.value)
