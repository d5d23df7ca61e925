"""Finds the fields that the code gives its logs."""

import ast
from collections.abc import Iterator

from tests.architecture.code_rules import Source

_LOGGERS = frozenset({"_log", "log"})
# Read by the machinery and turned into a text.
_NO_FIELDS = frozenset({"exc_info", "stack_info"})


def fields_of(source: Source) -> Iterator[str]:
    """Yield the name of each field that a file's calls of a logger have."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=logger)), keywords=keywords) if logger in _LOGGERS:
                yield from (each.arg for each in keywords if each.arg and each.arg not in _NO_FIELDS)
