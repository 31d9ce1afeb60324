"""`qqbot new`: a project whose own tests pass, and what it refuses."""

import re
import tomllib
from pathlib import Path

import pytest

from qqbot.cli import main
from qqbot.cli.new import skeleton
from qqbot.testing import Simulator
from tests.cli.program import environment, python, qqbot, run
from tests.sockets import free_port

WRITTEN = {
    *("bot.py", "routers/__init__.py", "routers/games.py", "routers/admin.py", "tests/test_bot.py"),
    *("pyproject.toml", "README.md", "Dockerfile", "compose.yaml"),
    *(".env.example", ".dockerignore", ".gitignore"),
}


async def made(folder: Path, name: str = "demo") -> Path:
    code, out, err = await run("new", name, cwd=folder)
    assert (code, err) == (0, ""), err
    assert f"cd {name}" in out
    return folder / name


@pytest.mark.timeout(120)  # a whole run of pytest in another process
async def test_its_own_tests_pass_as_generated(tmp_path: Path) -> None:
    project = await made(tmp_path)
    assert {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()} == WRITTEN
    async with python("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project) as tests:
        code, out, err = await tests.finished(100.0)
    assert code == 0, out + err
    assert "4 passed" in out


async def test_it_runs_with_its_health_page(tmp_path: Path) -> None:
    project, port = await made(tmp_path), str(free_port())
    health_check = re.search(r'"-c", "(.+)"\]', (project / "Dockerfile").read_text())
    assert health_check is not None
    check = health_check[1].replace("8080", port)
    async with Simulator() as sim:
        env = environment(sim, HEALTH_PORT=port)
        async with qqbot("run", "bot.py", env=env, cwd=project) as bot:
            await bot.line("err", "identified")
            async with python("-c", check) as healthy:
                assert (await healthy.finished()).code == 0
            assert (await bot.stopped()).code == 0
        async with python("-c", check) as unhealthy:
            assert (await unhealthy.finished()).code != 0


async def test_it_depends_on_the_package_by_name_only(tmp_path: Path) -> None:
    project = tomllib.loads((await made(tmp_path, "my-bot") / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "my-bot"
    named = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    assert all(re.fullmatch(r"aioqqbot(\[[a-z,]+\])?", requirement) for requirement in named), named
    wanted = {extra for requirement in named for extra in re.findall(r"[a-z]+", requirement.partition("[")[2])}
    known = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert wanted <= set(known["optional-dependencies"])


def test_nothing_is_left_to_fill_in() -> None:
    files = dict(skeleton("my-bot"))
    assert {path.as_posix() for path in files} == WRITTEN
    assert not [path for path, text in files.items() if "__NAME__" in text or not text.endswith("\n")]
    assert "QQBOT_SECRET=\n" in files[next(path for path in files if path.name == ".env.example")]


async def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "bot.py").write_text("mine")
    code, out, err = await run("new", "demo", cwd=tmp_path)
    assert (code, out) == (3, "")
    assert "exists already" in err and "已存在" in err
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["bot.py"]


async def test_a_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("mine")
    assert (await run("new", "demo", cwd=tmp_path)).code == 3
    assert (tmp_path / "demo").read_text() == "mine"


async def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    assert (await made(tmp_path) / "bot.py").is_file()


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(["new", "demo"]) == 3
    assert "demo cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-x",
        "1bot",
        "机器人",
        "a b",
        "a/b",
        "../demo",
        ".",
        "..",
        "/tmp",
        "my-bot-",
        "a" * 51,
        "aioqqbot",
        "qqbot",
        "NUL",
    ],
)
def test_a_bad_name_is_wrong_usage(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["new", "--", name])
    assert caught.value.code == 2
    assert "名称只能用" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["new", "--help"])
    assert caught.value.code == 0
    assert "Exit codes: 0" in capsys.readouterr().out
