"""The house as the code has it: floors, purity of the core, no cycles, where errors may be met, words.

Read from the imports as they are written (ast); those under TYPE_CHECKING bind as well, save for cycles.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent / "sipguard"

FLOORS = {
    "sip": 0, "stir": 0, "numbers": 0,
    "screening": 1,
    "b2bua": 2, "records": 2,
    "settings": 3, "net": 3, "store": 3, "proof": 3,
    "service": 4,
    "cli": 5, "console": 5,
}  # fmt: skip
SIDEWAYS = {  # module or room -> module of a room on the same floor that it may import
    "sipguard.records": ("sipguard.b2bua.frames",),  # the frames are what records are made of
    # their settings are part of the configuration
    "sipguard.settings": (
        "sipguard.net.hep",
        "sipguard.net.nameservers",
        "sipguard.net.sources",
        "sipguard.store.manifest",  # what was imported is in force with the configuration
    ),
}
CORE = ("sip", "stir", "numbers", "screening", "b2bua", "records")
IMPURE = (
    "aiohttp", "aiosqlite", "asyncio", "concurrent", "ctypes", "http", "io", "logging", "multiprocessing", "os",
    "pathlib", "prometheus_client", "random", "sched", "secrets", "select", "selectors", "shutil", "signal", "socket",
    "sqlite3", "ssl", "structlog", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uvloop",
)  # fmt: skip
MAPPED_FILES = {  # modules that name or map files of numbers; they wait for nothing
    "sipguard.numbers.formats": {"pathlib"},
    "sipguard.numbers.networkset": {"pathlib"},
    "sipguard.numbers.notes": {"pathlib"},
    "sipguard.numbers.numberset": {"os", "pathlib"},
    "sipguard.numbers.pairset": {"pathlib"},
    "sipguard.numbers.textset": {"pathlib"},
    "sipguard.numbers.plan": {"pathlib"},
    "sipguard.numbers.setfile": {"os", "pathlib", "sys"},
    "sipguard.screening.lists": {"pathlib"},
}
THROUGH = {  # library -> the module that everybody has it from
    "aiohttp": "sipguard.net.http",
}
FORBIDDEN_WORDS = ("manager", "handler", "helper", "util", "utils", "session")
ANY_ERROR = {  # functions that end errors of any kind
    "sipguard.stir.certificate: _validated",  # a certificate of a stranger
    "sipguard.screening.pipeline: _checked",  # a check
    "sipguard.b2bua.engine: received",  # a message
    "sipguard.b2bua.engine: tried",  # an answer, a timer, a step that a call can do without
    "sipguard.net.driver: _readable",  # a datagram
    "sipguard.net.driver: safely",  # everything else on the loop
    "sipguard.service.supervisor: _reload",  # files that are to come into force
}


@cache
def modules() -> dict[str, ast.Module]:
    """Name -> syntax tree of every module."""
    found = {}
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def room_of(module: str) -> str:
    """The room that a module stands in, "" for the package itself and for what is not the product's."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "sipguard" else ""


def resolved(module: str, node: ast.ImportFrom) -> list[str]:
    """The modules that `from x import a, b` names: x.a where that is a module, else x."""
    assert not node.level, f"{module}: relative import"
    base = node.module or ""
    return [full if (full := f"{base}.{alias.name}") in modules() else base for alias in node.names]


def is_type_checking(node: ast.AST) -> bool:
    """Whether this is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@cache
def imports(module: str, at_run_time: bool = False) -> frozenset[str]:
    """All modules that a module imports, anywhere in it; `at_run_time` leaves those for the type checker out."""
    return frozenset(imports_in(module, modules()[module], at_run_time))


def imports_in(module: str, node: ast.AST, at_run_time: bool) -> Iterator[str]:
    """As `imports`, of a part of a module."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from resolved(module, child)
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case) and not (
            at_run_time and is_type_checking(child)
        ):
            yield from imports_in(module, child, at_run_time)


def is_allowed_sideways(module: str, imported: str) -> bool:
    """Whether a line of SIDEWAYS says so."""
    return any(module.startswith(who) and imported in whom for who, whom in SIDEWAYS.items() if room_of(who))


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(name) for name in modules()} - {""}
    assert rooms <= set(FLOORS) | {"__main__"}


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_go_down(module: str) -> None:
    """A room imports from lower floors only, never sideways, but where a line says so."""
    here = room_of(module)
    for imported in imports(module):
        there = room_of(imported)
        if here in FLOORS and there in FLOORS and there != here:
            down = FLOORS[there] < FLOORS[here]
            assert down or is_allowed_sideways(module, imported), f"{module} imports {imported}"


@pytest.mark.parametrize(("library", "way"), THROUGH.items())
def test_a_library_is_imported_in_one_place(library: str, way: str) -> None:
    users = {name for name in modules() if any(f"{each}.".startswith(f"{library}.") for each in imports(name))}
    assert users == {way}


@pytest.mark.parametrize("module", [name for name in sorted(modules()) if room_of(name) in (*CORE, "proof")])
def test_core_is_pure(module: str) -> None:
    """No I/O, no clock, no chance, no threads in the core."""
    found = {bad for bad in IMPURE for name in imports(module) if f"{name}.".startswith(f"{bad}.")}
    assert not found - MAPPED_FILES.get(module, set())


@pytest.mark.parametrize("room", sorted(FLOORS))
def test_no_cycle_within_a_room(room: str) -> None:
    """Modules that import one another at run time have an order."""
    own = [name for name in modules() if room_of(name) == room]
    left = {name: {i for i in imports(name, at_run_time=True) if i in own and i != name} for name in own}
    while ready := [name for name, needs in left.items() if not needs]:
        for name in ready:
            del left[name]
        for needs in left.values():
            needs.difference_update(ready)
    assert not left, f"a cycle among {sorted(left)}"


def meets_any_error(node: ast.ExceptHandler) -> bool:
    """Whether this ends errors of any kind; what only tidies up and raises again does not."""
    names = {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)} if node.type else {"Exception"}
    again = node.body[-1]
    return bool(names & {"Exception", "BaseException"}) and not (isinstance(again, ast.Raise) and again.exc is None)


def test_any_error_is_met_in_these_places_only() -> None:
    found = {
        f"{name}: {function.name}"
        for name, tree in modules().items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler) and meets_any_error(node)
    }
    assert found == ANY_ERROR


@pytest.mark.parametrize("module", sorted(modules()))
def test_words(module: str) -> None:
    """Names of modules and classes say what a thing is."""
    names = [module.rpartition(".")[2]]
    names += [node.name for node in ast.walk(modules()[module]) if isinstance(node, ast.ClassDef)]
    for name in names:
        for word in FORBIDDEN_WORDS:
            assert word not in name.lower(), f"{module}: {name}"


@pytest.mark.parametrize("module", sorted(modules()))
def test_module_says_what_it_is(module: str) -> None:
    """Every module begins with what it is for."""
    assert ast.get_docstring(modules()[module])


@pytest.mark.parametrize(
    ("process", "dear"),
    [
        ("worker", {"aiohttp", "pydantic", "prometheus_client", "structlog", "dns", "sqlite3", "ruamel"}),
        ("fetcher", {"prometheus_client", "structlog", "sqlite3", "ruamel", "pydantic", "sipguard.screening.trunk"}),
        ("desk", {"dns", "ruamel", "pydantic", "cryptography", "sipguard.net.fetch", "sipguard.screening.trunk"}),
        ("supervisor", {"prometheus_client", "aiosqlite", "dns", "aiohttp", "uvloop", "sipguard.b2bua.engine"}),
    ],
)
def test_a_process_brings_along_only_what_it_uses(process: str, dear: set[str]) -> None:
    """A worker that died is back the sooner, and no library that it does not need lives beside its calls."""
    command = f"import sys, sipguard.service.{process}; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", command], capture_output=True, check=True).stdout.decode().split()
    )
    assert loaded & dear == set()
