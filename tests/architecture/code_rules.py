"""The repository's rules that linters do not know: each looks at one file and says what is wrong with it."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
NOT_OURS = frozenset({".venv", "var", ".git", "node_modules"})
PURE = frozenset({"rules", "domain", "workflows"})
# Started by their path or with `-m`, so that whatever they do at import is their own affair.
PROGRAMS = frozenset({"worker", "bootstrap"})
# The one place where every failure means the same: the part that was asked is not ready.
EVERYTHING_CAUGHT = frozenset({"api/health.py"})
LONGEST_FILE, LONGEST_FUNCTION = 300, 60

_CLOCKS = frozenset({"now", "utcnow", "today", "time", "monotonic", "perf_counter", "time_ns", "monotonic_ns"})
_CLOCK_OWNERS = frozenset({"datetime", "date", "time"})
_CHANCE = frozenset({"random", "secrets", "uuid1", "uuid4", "urandom"})


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file, parsed; `path` is relative to the repository."""

    path: PurePosixPath
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.text)

    @property
    def room(self) -> str:
        """Return the top-level package it lies in, or its own name when it lies in none."""
        return self.path.parts[0].removesuffix(".py")

    def imports(self) -> Iterator[str]:
        """Yield the modules it imports."""
        for node in ast.walk(self.tree):
            match node:
                case ast.Import(names=names):
                    yield from (each.name for each in names)
                case ast.ImportFrom(module=str() as module, level=0):
                    yield module


Rule = Callable[[Source], Iterator[str]]


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def python_files(root: Path = ROOT) -> list[Source]:
    """Return every Python file of the repository."""
    paths = (path.relative_to(root) for path in sorted(root.rglob("*.py")))
    ours = (path for path in paths if not NOT_OURS & set(path.parts))
    return [Source(PurePosixPath(path), (root / path).read_text(encoding="utf-8")) for path in ours]


def init_is_empty(source: Source) -> Iterator[str]:
    """A package's `__init__.py` is empty: a name has one home."""
    if source.path.name == "__init__.py" and source.text:
        yield "is not empty"


def module_says_what_it_is_for(source: Source) -> Iterator[str]:
    """Every module begins with a sentence."""
    if source.path.name != "__init__.py" and not ast.get_docstring(source.tree):
        yield "has no docstring"


def file_is_short(source: Source) -> Iterator[str]:
    """A file is one thing; a migration is as long as the schema, and tests as many as the claims."""
    lines = source.text.count("\n")
    if lines > LONGEST_FILE and source.room != "tests" and "migrations" not in source.path.parts:
        yield f"has {lines} lines"


def functions_are_short(source: Source) -> Iterator[str]:
    """A function is one thing; a migration is a list."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "migrations" not in source.path.parts:
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{node.name} has {lines} lines"


def nothing_catches_everything(source: Source) -> Iterator[str]:
    """What is not expected is not swallowed; to tidy up and raise it again is no swallowing."""
    if str(source.path) in EVERYTHING_CAUGHT:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node.type) and not _raises_again(node):
            yield f"line {node.lineno} catches everything"


def the_pure_are_pure(source: Source) -> Iterator[str]:
    """Rules, words and workflows ask no clock and throw no dice; Temporal's `workflow.now()` is no clock."""
    if source.room not in PURE:
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in _CLOCK_OWNERS and name in _CLOCKS:
                yield f"line {node.lineno} asks a clock"
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in _CHANCE:
                yield f"line {node.lineno} throws dice"
    for module in source.imports():
        if module.partition(".")[0] in _CHANCE | {"time"}:
            yield f"imports {module}"


def programs_are_not_imported(source: Source) -> Iterator[str]:
    """A program is started, by its path."""
    for module in source.imports():
        if module.partition(".")[0] in PROGRAMS and source.room != "tests":
            yield f"imports {module}"


def imports_are_absolute(source: Source) -> Iterator[str]:
    """A module is called by one name."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"line {node.lineno} imports relatively"


RULES: tuple[Rule, ...] = (
    init_is_empty,
    module_says_what_it_is_for,
    file_is_short,
    functions_are_short,
    nothing_catches_everything,
    the_pure_are_pure,
    programs_are_not_imported,
    imports_are_absolute,
)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    match handler.body[-1]:
        case ast.Raise(exc=None):
            return True
        case _:
            return False


def _catches_everything(caught: ast.expr | None) -> bool:
    match caught:
        case None:
            return True
        case ast.Name(id=name):
            return name in {"Exception", "BaseException"}
        case ast.Tuple(elts=several):
            return any(_catches_everything(each) for each in several)
        case _:
            return False
