"""What is installed: the wheel's files, and what `import qqbot` costs."""

import subprocess
import sys
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest

import qqbot

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    source = ROOT / "src"
    files = {
        path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == files
    assert "qqbot/py.typed" in packed
    assert {Path(name).suffix for name in packed if "/simulator/" in name} >= {
        ".py",
        ".json",
        ".html",
        ".js",
        ".css",
    }


def test_wheel_names_its_dependencies_and_licence(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    fields = Parser().parsestr(wheel.read(metadata).decode())
    requirements = [text for text in fields.get_all("Requires-Dist", []) if "extra ==" not in text]
    assert sorted(text.partition(">=")[0] for text in requirements) == [
        "aiohttp",
        "msgspec",
        "redis[hiredis]",
    ]
    assert fields["Version"] == qqbot.__version__
    assert fields["License-Expression"] == "Apache-2.0"
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())


def test_wheel_has_the_command_and_the_pytest_plugin(wheel: zipfile.ZipFile) -> None:
    (points,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    parser = ConfigParser()
    parser.read_string(wheel.read(points).decode())
    assert dict(parser["console_scripts"]) == {"qqbot": "qqbot.cli:main"}
    assert dict(parser["pytest11"]) == {"qqbot": "qqbot.testing.pytest_plugin"}


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `statement`."""
    code = f"import sys\n{statement}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import qqbot",
        "import qqbot.cli, contextlib\nwith contextlib.suppress(SystemExit): qqbot.cli.main(['--help'])",
    ],
)
def test_optional_weight_is_not_imported(statement: str) -> None:
    loaded = modules_after(statement)
    assert "qqbot" in loaded
    optional = {"redis", "hiredis", "cryptography", "aiohttp.web", "rich", "pytest", "opentelemetry"}
    assert not loaded & (optional | {"prometheus_client", "qqbot.observe"})
