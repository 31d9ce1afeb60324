"""The project's checks. `nox` runs lint, types and tests; `nox -l` lists every session."""

import itertools
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests"]
# A missing interpreter is skipped, also if CI is set; none is downloaded.
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"

PROJECT = nox.project.load_toml("pyproject.toml")
EXTRAS = ",".join(PROJECT["project"]["optional-dependencies"])
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
# The interpreter that runs nox is always among them, so that `nox -s tests` never passes by testing nothing.
PYTHONS = list(dict.fromkeys(["3.11", "3.12", "3.13", RUNNING]))
LOWEST = "3.11"


def group(name: str) -> list[str]:
    """Return the requirements of one dependency group; pip 23.0 cannot read them."""
    return list(nox.project.dependency_groups(PROJECT, name))


def pytest(session: nox.Session, *arguments: str, env: dict[str, str] | None = None) -> None:
    """Run pytest with eight workers: most tests wait for sockets and timers, so two cores carry eight.

    Some take half a minute, so idle workers steal tests that have not started.
    """
    session.run("pytest", "-n", "8", "--dist", "worksteal", *arguments, *session.posargs, env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff's rules and format check, and check the layers of the package."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", env={"PYTHONPATH": "src"})


@nox.session
def types(session: nox.Session) -> None:
    """Run both type checkers in strict mode on src, examples and tests/typing."""
    session.install("-e", ".", *group("types"))
    session.run("mypy")
    session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests against the package as a user installs it."""
    session.install(".", *group("tests"))
    pytest(session)


# What depends on aiohttp, redis, msgspec, cryptography and the test kit; the other tests would only repeat `tests`.
MINIMAL = [
    "tests/api",
    "tests/models",
    "tests/observe",
    "tests/redis",
    "tests/testing",
    "tests/webhook",
]


@nox.session(python=LOWEST)
def tests_min(session: nox.Session) -> None:
    """Run the tests of what depends on other packages, with the lowest version of each that is allowed."""
    project = PROJECT["project"]
    declared = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    lowest = [
        requirement.replace(">=", "==") for requirement in declared if not requirement.startswith(project["name"])
    ]
    session.install(".", *lowest, *group("tests"))
    pytest(session, *([] if session.posargs else MINIMAL))


@nox.session
def documents(session: nox.Session) -> None:
    """Give a thousand random documents to everything that reads what comes from outside; the tests try 200."""
    session.install(".", *group("tests"))
    tests = (
        *("tests/api/test_any_answer.py", "tests/webhook/test_any_body.py", "tests/gateway/test_documents.py"),
        *("tests/sessions/test_state_paths.py", "tests/sessions/cluster/test_unreadable.py"),
        "tests/simulator/test_saved_chats.py",
    )
    pytest(session, *tests, "-k", "any or document or thousand or content", env={"TEST_DOCUMENTS": "1000"})


# How a test runs besides the default: `tests.loops` chooses the loop, Python itself the debug mode.
LOOPS: dict[str, dict[str, str]] = {
    "plain": {},
    "uvloop": {"TEST_LOOP": "uvloop"},
    "eager": {"TEST_LOOP": "eager"},
    "debug": {"PYTHONASYNCIODEBUG": "1"},
}


@nox.session
def uvloop(session: nox.Session) -> None:
    """Run the tests of connections on uvloop, which `uvicorn[standard]` chooses by itself."""
    session.install(".", *group("tests"), *group("uvloop"))
    tests = ("tests/loops", "tests/aio", "tests/gateway", "tests/test_survival.py", "tests/simulator")
    pytest(session, *tests, env=LOOPS["uvloop"])


@nox.session
@nox.parametrize(
    ("python", "loop"),
    [
        nox.param(python, loop, id=f"{loop}-{python}")
        for python, loop in [
            *((LOWEST, loop) for loop in ("uvloop", "debug")),
            *((python, loop) for python in ("3.12", "3.13", "3.14") for loop in ("plain", "eager")),
        ]
    ],
)
def matrix(session: nox.Session, loop: str) -> None:
    """Run all tests on other loops and Pythons; `nox -s "matrix(eager-3.13)"` for one. Missing Pythons are skipped."""
    session.install(".", *group("tests"), *group("uvloop"))
    pytest(session, env=LOOPS[loop])


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into `site/`, strictly; execute every Python block; compare both languages.

    `nox -s docs -- --lenient` builds it from pages that are not finished, and ends there.
    """
    session.install(".", *group("tests"), *group("docs"))
    session.run("python", "-m", "website", "site", "--links", *session.posargs)
    if not session.posargs:
        pytest(session, "tests/test_docs.py", "tests/test_readme.py", "tests/test_site.py")


@nox.session
def reference(session: nox.Session) -> None:
    """Write docs/reference and docs/zh/reference from the models, the tables and the signatures of the package."""
    session.install("-e", ".")
    session.run("python", "-m", "tests.reference")


@nox.session
def browser(session: nox.Session) -> None:
    """Test the simulator's page and the site in Chromium, which must be installed at /usr/bin/chromium."""
    session.install(".", *group("tests"), *group("browser"), *group("docs"))
    session.run("pytest", "-n", "2", "tests/browser", *session.posargs)


@nox.session
def screenshots(session: nox.Session) -> None:
    """Draw docs/images again: the simulator's page in both themes, 1280 and 390 pixels wide."""
    session.install(".", *group("tests"), *group("browser"))
    session.run("python", "-m", "tests.browser.screenshots", "docs/images")


@nox.session
def interop(session: nox.Session) -> None:
    """Run other SDKs, from PyPI and npm, on the simulator; `nox -s interop -- -k NAME` for one of them.

    Each is installed apart, because some do not go together. Without Node.js those from npm are skipped. The bots of
    tests/migrate run on qq-botpy too.
    """
    session.install(".", *group("tests"))
    folder = Path(session.create_tmp()).resolve() / "sdks"
    for name, sdk in nox.project.load_toml("tests/interop/sdks.toml").items():
        place = str(folder / name.removeprefix("@").replace("/", "-"))
        if sdk["registry"] == "PyPI":
            session.run("python", "-m", "venv", place)
            session.run(f"{place}/bin/python", "-m", "pip", "install", "--quiet", *sdk["packages"], external=True)
        elif shutil.which("npm"):
            quiet = ("--no-audit", "--no-fund", "--loglevel=error")
            session.run("npm", "install", "--prefix", place, *quiet, *sdk["packages"], external=True)
        else:
            session.warn(f"{name} is skipped: it needs Node.js and npm")
    pytest(session, "-n", "4", "tests/interop", "tests/migrate", env={"INTEROP_DIR": str(folder)})


@nox.session
def chaos(session: nox.Session) -> None:
    """Bots under random faults for two minutes, and clusters of processes through every row of docs/production.md.

    `nox -s chaos -- --seed N --minutes M --bots K --processes P` is the first alone, `nox -s cluster` the second.
    """
    session.install(".", *group("tests"))
    session.run("python", "-m", "tests.chaos", *session.posargs)
    if not session.posargs:
        session.run("python", "-m", "tests.cluster")
        session.run("python", "-m", "tests.cluster", "--store", "etcd")


@nox.session
def cluster(session: nox.Session) -> None:
    """Processes that share shards through real servers: `nox -s cluster -- [--store etcd] [ROW ...] [--seed N]`."""
    session.install(".", *group("tests"))
    session.run("python", "-m", "tests.cluster", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Compare the cost of the package with its floor; `nox -s bench -- --json FILE` writes the figures to a file."""
    session.install(".", *group("bench"))
    session.run("python", "-m", "bench", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the source distribution and the wheel, and run the command that the wheel installs."""
    session.install(*group("build"))
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--outdir", folder)
        (wheel,) = Path(folder).glob("*.whl")
        session.install("--force-reinstall", "--no-deps", str(wheel))
        session.install(str(wheel))
        with session.chdir(folder):
            session.run("qqbot", "--help", silent=True)
            session.run("qqbot", "version")


@nox.session
def release(session: nox.Session) -> None:
    """Make the files of a release in `dist/`: sdist, wheel and bill of materials; and prove them.

    A second build, from a fresh clone of HEAD, has to be equal byte by byte: nothing untracked is packed, and the
    build can be repeated. The wheel is installed in an environment of its own, and its simulator has to answer.
    """
    session.install(*group("release"))
    stamp = str(session.run("git", "log", "-1", "--format=%ct", external=True, silent=True)).strip()
    dist = Path("dist").resolve()
    shutil.rmtree(dist, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        session.run("git", "clone", "--quiet", "--no-hardlinks", ".", f"{folder}/clone", external=True)
        for source, place in ((".", dist), (f"{folder}/clone", Path(folder, "again"))):
            session.run("python", "-m", "build", "--outdir", str(place), source, env={"SOURCE_DATE_EPOCH": stamp})
        made = {file.name: file.read_bytes() for file in dist.iterdir()}
        if made != {file.name: file.read_bytes() for file in Path(folder, "again").iterdir()}:
            session.error("a build of HEAD differs: commit or remove what is not committed")
        session.run("twine", "check", "--strict", *map(str, sorted(dist.iterdir())))
        (wheel,) = dist.glob("*.whl")
        clean = f"{folder}/clean"
        session.run("python", "-m", "venv", clean)
        session.run(f"{clean}/bin/pip", "install", "--quiet", str(wheel), external=True)
        with session.chdir(folder):
            session.run(f"{clean}/bin/qqbot", "version", external=True)
            try_simulator(session, f"{clean}/bin/qqbot")
    sbom = dist / f"{wheel.name.split('-py3')[0]}.cdx.json"
    session.notify("sbom", [str(sbom)])


def try_simulator(session: nox.Session, command: str) -> None:
    """Start the simulator of an installed package, and make a call to it with the same command."""
    with subprocess.Popen([command, "simulate", "--json"], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            started = json.loads(process.stdout.readline())
            environment = {f"QQBOT_{name.upper()}": str(started[name]) for name in ("app_id", "secret", "api_base")}
            session.run(command, "call", "GET", "/users/@me", env=environment, external=True)
        finally:
            process.send_signal(signal.SIGINT)


@nox.session
def audit(session: nox.Session) -> None:
    """Look for known vulnerabilities in all that the package and its extras install; needs the network.

    It fails if there are any. If the advisory database cannot be reached, it warns and passes.
    """
    session.install(f".[{EXTRAS}]")
    installed = session.run("python", "-m", "pip", "freeze", "--exclude", "aioqqbot", silent=True)
    with tempfile.TemporaryDirectory() as folder:
        pinned, report = Path(folder, "requirements.txt"), Path(folder, "report.json")
        pinned.write_text(str(installed), "utf-8")
        try:
            session.install(*group("audit"))
        except nox.command.CommandFailed:
            session.warn("NOT AUDITED: pip-audit cannot be installed here")
            return
        options = (
            "--no-deps",
            "--disable-pip",
            "--progress-spinner",
            "off",
            "--format",
            "json",
            "--output",
            str(report),
        )
        session.run("pip-audit", "-r", str(pinned), *options, silent=True, success_codes=[0, 1])
        if not report.exists():
            session.warn("NOT AUDITED: the advisory database cannot be reached")
            return
        packages = json.loads(report.read_text("utf-8"))["dependencies"]
    unknown = [each["name"] for each in packages if "vulns" not in each]
    found = [f"{each['name']} {each['version']}: {vuln['id']}" for each in packages for vuln in each.get("vulns", ())]
    if unknown:
        session.warn(f"NOT AUDITED, unknown to the advisory database: {', '.join(unknown)}")
    if found:
        session.error("known vulnerabilities:\n" + "\n".join(found))
    session.log(f"{len(packages) - len(unknown)} of {len(packages)} packages audited, no known vulnerability")


@nox.session
def sbom(session: nox.Session) -> None:
    """Write the bill of materials of the package with its extras to `sbom.cdx.json`: `nox -s sbom -- FILE`."""
    session.install(f".[{EXTRAS}]", *group("sbom"))
    (file,) = session.posargs or ["sbom.cdx.json"]
    python = str(Path(session.bin, "python"))
    session.run("cyclonedx-py", "environment", python, "--pyproject", "pyproject.toml", "--output-file", file)


@nox.session
def changelog(session: nox.Session) -> None:
    """Gather changelog.d into CHANGELOG.md: `nox -s changelog -- --version X.Y.Z`."""
    session.install(*group("changelog"))
    session.run("towncrier", "build", *session.posargs)
