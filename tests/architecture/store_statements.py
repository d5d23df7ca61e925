"""Which statements of the store touch rows of accounts without naming whose, in which environment.

Two looks: at the statements that modules hold ready, as SQLAlchemy has them; and, for those that are built when they
are needed, at the source of the functions that build them.
"""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, TextClause
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.selectable import Select
from sqlmodel import SQLModel

import store

WHOSE = frozenset({"account_id", "environment"})
_BUILDERS = frozenset({"select", "update", "delete"})


def modules() -> list[ModuleType]:
    """Return the modules of the store."""
    names = [each.name for each in pkgutil.iter_modules(store.__path__) if each.name != "migrations"]
    return [importlib.import_module(f"store.{name}") for name in names]


def tables_of_accounts() -> frozenset[str]:
    """Return the tables whose rows belong to an account in an environment."""
    return frozenset(each.name for each in SQLModel.metadata.sorted_tables if set(each.c.keys()) >= WHOSE)


def statements(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the statements that a module holds ready, each once, with its name."""
    for name, value in vars(module).items():
        for each in list(value.values())[:1] if isinstance(value, Mapping) else [value]:
            if isinstance(each, Select | Insert | Update | Delete):
                yield f"{module.__name__}.{name}", each


def is_about_accounts(statement: Any) -> bool:
    """Say whether a statement touches a row that belongs to an account in an environment."""
    touched = {each.name for each in visitors.iterate(statement) if isinstance(each, Table)}
    if isinstance(statement, Insert | Update | Delete):
        # What an answer brings along from other tables is not what is changed.
        touched = {getattr(statement.table, "name", "")}
    return bool(touched & tables_of_accounts())


def names_whose(statement: Any) -> bool:
    """Say whether a statement names account and environment: in its conditions, or in what an insertion collides on."""
    if isinstance(statement, Insert):
        collides: Any = getattr(statement, "_post_values_clause", None)
        is_update = collides is not None and "update" in type(collides).__name__.lower()
        return not is_update or set(collides.inferred_target_elements or ()) >= WHOSE
    named: set[str] = set()
    for each in visitors.iterate(statement):
        where = each.whereclause if isinstance(each, Select | Update | Delete) else None
        if where is not None:
            named |= {part.name for part in visitors.iterate(where) if isinstance(part, Column)}
    return named >= WHOSE


def builders(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield the functions of a module that build statements over rows of accounts, with their source."""
    source = inspect.getsource(module)
    tree = ast.parse(source)
    names = {name for name, value in vars(module).items() if _is_of_accounts(value)}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            _builds(each, names) for each in ast.walk(node)
        ):
            yield f"{module.__name__}.{node.name}", ast.get_source_segment(source, node) or ""


def _is_of_accounts(value: Any) -> bool:
    """Say whether a name stands for such a table, or for columns of one."""
    if isinstance(value, tuple):
        return any(getattr(each, "table", None) is not None and _is_of_accounts(each.table) for each in value)
    return isinstance(value, Table) and value.name in tables_of_accounts()


def says_whose(source: str, module: ModuleType) -> bool:
    """Say whether a function's source names account and environment, itself or by a condition of its module."""
    if all(word in source for word in WHOSE):
        return True
    words = {each.id for each in ast.walk(ast.parse(source)) if isinstance(each, ast.Name)}
    return any(_is_condition(value) for name, value in vars(module).items() if name in words)


def _is_condition(value: Any) -> bool:
    """Say whether a name stands for something that names both: an expression, a text, a function of the store's."""
    if isinstance(value, TextClause):
        return all(word in value.text for word in WHOSE)
    if inspect.isfunction(value) and value.__module__.startswith("store."):
        return all(word in inspect.getsource(value) for word in WHOSE)
    if not isinstance(value, ColumnElement) or isinstance(value, Table | Select | Insert | Update | Delete):
        return False
    return {getattr(each, "name", None) for each in visitors.iterate(value)} >= WHOSE


def _builds(node: ast.AST, tables: set[str]) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _BUILDERS:
            used = {each.id for argument in arguments for each in ast.walk(argument) if isinstance(each, ast.Name)}
            return bool(used & tables)
        case _:
            return False
