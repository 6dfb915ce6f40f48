"""Imports point down only, and each third-party library has its one place."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import strongroom

PACKAGE = Path(strongroom.__file__).parent

# From the bottom to the top. A module may import from its own layer and from those before it; TOP
# is the package's own namespace.
TOP = ""
LAYERS = (
    {"errors", "protocols"},
    {"format"},
    {"keys"},
    {"codec", "ledger"},
    {"sql"},
    {"history"},
    {"core"},
    {"session"},
    {"store"},
    {TOP},
    {"maintenance"},
    {"cli", "testing"},
)
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}

ONE_PLACE = {
    "msgpack": {"codec/serializers/msgpack.py"},
    "orjson": {"codec/serializers/orjson.py"},
    "zlib": {"codec/compressors/zlib.py"},
    "zstandard": {"codec/compressors/zstd.py"},
}

REQUIRED = ("cryptography", "msgpack", "orjson", "sqlalchemy")
OPTIONAL = (
    *("agents", "aiomysql", "asyncmy", "asyncpg", "hypothesis", "openai", "pytest", "rich"),
    *("typer", "zstandard"),
)

SOURCES = sorted(PACKAGE.rglob("*.py"))


def part(module: str) -> str:
    """Return the part of the house that a module of strongroom belongs to."""
    return module.partition(".")[2].partition(".")[0]


def is_ours(module: str) -> bool:
    return module.partition(".")[0] == "strongroom"


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def module_name(source: Path) -> str:
    return ".".join(source.relative_to(PACKAGE.parent).with_suffix("").parts)


def imports(source: Path) -> Iterator[str]:
    """Yield what a source file imports at run time, in functions too."""
    module = module_name(source)
    pending: list[ast.AST] = [ast.parse(source.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from imported_from(module, node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            name = node.args[0]
            if isinstance(name, ast.Constant):
                yield str(name.value)
        pending += ast.iter_child_nodes(node)


def imported_from(module: str, node: ast.ImportFrom) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        parents = module.split(".")[: -node.level]
        base = ".".join([*parents, base] if base else parents)
    for alias in node.names:
        whole = f"{base}.{alias.name}"
        # `from strongroom.format import envelope` imports a module, not the package's namespace.
        yield whole if is_ours(base) and is_module(whole) else base


def users(library: str) -> set[str]:
    return {
        source.relative_to(PACKAGE).as_posix()
        for source in SOURCES
        if any(name.partition(".")[0] == library for name in imports(source))
    }


@pytest.mark.parametrize("source", SOURCES, ids=module_name)
def test_imports_point_down(source: Path) -> None:
    own = part(module_name(source).removesuffix(".__init__"))
    assert own in HEIGHT, f"say in LAYERS where {own} stands"
    upward = [
        name for name in imports(source) if is_ours(name) and HEIGHT[part(name)] > HEIGHT[own]
    ]
    assert upward == []


def test_sqlalchemy_is_imported_from_sql_on_only() -> None:
    below = {name for name in HEIGHT if HEIGHT[name] < HEIGHT["sql"]}
    parts = {part(module_name(PACKAGE / path)) for path in users("sqlalchemy")}
    assert "sql" in parts
    assert parts & below == set()


@pytest.mark.parametrize("library", ONE_PLACE)
def test_a_stages_library_is_imported_by_one_file(library: str) -> None:
    assert users(library) == ONE_PLACE[library]


@pytest.mark.parametrize("library", ["agents", "openai"])
def test_openai_agents_is_never_imported(library: str) -> None:
    assert users(library) == set()


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_the_command_lines_libraries_are_imported_by_the_command_line_only(library: str) -> None:
    assert {path.partition("/")[0] for path in users(library)} <= {"cli"}


def loaded_by(program: str, *libraries: str) -> list[str]:
    """Run a program by itself, and return those of the libraries that it has loaded."""
    program += "\nimport json, sys; print(json.dumps(list(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(result.stdout))
    return [library for library in libraries if library in loaded]


def test_all_public_names_together_load_nothing_optional() -> None:
    assert loaded_by("from strongroom import *", *REQUIRED, *OPTIONAL) == list(REQUIRED)


@pytest.mark.parametrize("program", ["import strongroom", "import strongroom.cli"])
def test_the_namespace_by_itself_loads_no_library(program: str) -> None:
    assert loaded_by(program, *REQUIRED, *OPTIONAL) == []


def test_the_commands_load_no_library_before_one_is_run() -> None:
    libraries = sorted({*REQUIRED, *OPTIONAL} - {"rich", "typer"})
    assert loaded_by("import strongroom.cli.app", *libraries) == []


def test_names_without_sql_load_no_sqlalchemy() -> None:
    program = "from strongroom import Codec, FileWitness, Keyring, Ledger, PlaintextReader"
    assert loaded_by(program, "sqlalchemy") == []


@pytest.mark.slow
def test_each_module_can_be_the_first_that_is_imported() -> None:
    modules = [module_name(source).removesuffix(".__init__") for source in SOURCES]
    program = f"""
import importlib, sys
for name in {[name for name in modules if not name.endswith("__main__")]!r}:
    for loaded in [n for n in sys.modules if n.partition(".")[0] == "strongroom"]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_namespace_is_loaded_from_below() -> None:
    assert [home for home in strongroom._HOMES.values() if HEIGHT[part(home)] >= HEIGHT[TOP]] == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("from strongroom.format import envelope", "strongroom.format.envelope"),
        ("from strongroom import Codec", "strongroom"),
        ("from strongroom.sql import schema", "strongroom.sql.schema"),
        ("from ..sql.schema import Tables", "strongroom.sql.schema"),
        ("def f():\n    import strongroom.session", "strongroom.session"),
        ("if TYPE_CHECKING:\n    import strongroom.session\nelse:\n    import json", "json"),
    ],
)
def test_the_walk_sees(
    line: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "walked.py"
    source.write_text(line)
    monkeypatch.setitem(globals(), "module_name", lambda source: "strongroom.maintenance.walked")
    assert list(imports(source)) == [expected]


def test_a_helper_of_the_tests_has_a_name_of_its_own():
    # Folders of tests put themselves on sys.path; of two modules with one name, one is never seen.
    # Modules of a package have its name before their own.
    helpers = [
        path.name
        for path in Path(__file__).parent.rglob("*.py")
        if not path.name.startswith("test_")
        and path.name != "conftest.py"
        and not (path.parent / "__init__.py").exists()
    ]
    assert sorted(helpers) == sorted(set(helpers))
