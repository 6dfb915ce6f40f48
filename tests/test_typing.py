"""What the type checker says to users: runs mypy over tests/typing, which nothing else reads."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

import strongroom

# mypy takes a minute for what it has not seen before, and what it has seen lies in one place.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("mypy")]

HERE = Path(__file__).parent / "typing"
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
OPENAI_AGENTS = {"agents", "openai"}

Mypy = Callable[..., str]


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    """Return a place that outlives the run: mypy takes long for what it has not seen before."""
    cache = request.config.cache
    assert cache is not None
    return cache.mkdir("typing")


@pytest.fixture(scope="module")
def installed(folder: Path) -> Path:
    """Return the Python of an environment with strongroom and all that is installed here."""
    return environment(folder / "installed", without=set())


@pytest.fixture(scope="module")
def alone(folder: Path) -> Path:
    """Return the Python of an environment that has no openai-agents."""
    return environment(folder / "alone", without=OPENAI_AGENTS)


def environment(folder: Path, *, without: set[str]) -> Path:
    """Make a virtual environment whose packages are links to those of this one."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (packages,) = folder.glob(f"lib/python{version}/site-packages")
    shutil.rmtree(packages)
    packages.mkdir()
    for path in SITE_PACKAGES.iterdir():
        if path.name not in {*without, "strongroom"} and path.suffix != ".pth":
            (packages / path.name).symlink_to(path)
    (packages / "strongroom").symlink_to(Path(strongroom.__file__).parent)
    return python


@pytest.fixture
def mypy(tmp_path: Path) -> Mypy:
    """Return a function that runs ``mypy --strict`` on files, as a user of that Python would."""

    def run(python: Path, *names: str, config: str = "") -> str:
        config_file = tmp_path / "mypy.ini"
        config_file.write_text(f"[mypy]\n{config}")
        command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python)]
        command += ["--config-file", str(config_file)]
        command += ["--cache-dir", str(python.parents[1] / "mypy-cache")]
        command += [str(HERE / name) for name in names]
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert result.stderr == ""
        return result.stdout

    return run


def test_the_environments_are_what_they_are_called(installed: Path, alone: Path) -> None:
    for python, status in ((installed, 0), (alone, 1)):
        found = subprocess.run(
            [python, "-I", "-c", "import strongroom, agents"], capture_output=True, check=False
        )
        assert found.returncode == status
    assert b"No module named 'agents'" in found.stderr


def test_strongroom_works_without_openai_agents(alone: Path) -> None:
    program = "import strongroom; print(strongroom.SQLAlchemySession.__name__)"
    result = subprocess.run([alone, "-I", "-c", program], capture_output=True, check=True)
    assert result.stdout.strip() == b"SQLAlchemySession"


def test_every_file_passes_with_openai_agents(mypy: Mypy, installed: Path) -> None:
    files = sorted(path.name for path in HERE.glob("*.py"))
    assert mypy(installed, *files).startswith("Success")


def test_the_files_that_do_without_openai_agents_pass_without_it(mypy: Mypy, alone: Path) -> None:
    assert mypy(alone, "subclass_alone.py", "stages.py").startswith("Success")


def test_a_subclass_of_the_usual_style_passes_without_openai_agents(
    mypy: Mypy, alone: Path
) -> None:
    # Its own import of agents is an error to mypy wherever agents is missing; nothing else is.
    (problem,) = [line for line in mypy(alone, "subclass.py").splitlines() if "error:" in line]
    assert problem.endswith("[import-not-found]")
    config = "[mypy-agents.*]\nignore_missing_imports = True\n"
    assert mypy(alone, "subclass.py", config=config).startswith("Success")


def test_the_check_is_one_that_can_fail(mypy: Mypy, installed: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from strongroom import SQLAlchemySession\n"
        "class Wrong(SQLAlchemySession):\n"
        "    async def _serialize_item(self, item: int) -> bytes:\n"
        "        return b''\n"
    )
    output = mypy(installed, str(wrong))
    assert 'Return type "Coroutine[Any, Any, bytes]" of "_serialize_item"' in output
    assert 'Argument 1 of "_serialize_item" is incompatible' in output
