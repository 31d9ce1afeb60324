"""The SDKs of sdks.toml: what each can do, and where `nox -s interop` has installed it."""

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which

HERE = Path(__file__).parent
INSTALLED = Path(os.environ.get("INTEROP_DIR", HERE / "not-installed"))
"""A folder for each SDK: an environment of Python, or one with node_modules."""

SCENES = ("channel", "direct", "group", "c2c")
KINDS = ("text", "markdown", "image")
ABILITIES = (*(f"{scene}.{kind}" for scene in SCENES for kind in KINDS), "resume", "webhook")


@dataclass(frozen=True)
class Sdk:
    """One SDK. `gaps`: reasons, each with the abilities that are missing because of it.

    `reports_answering`: its bot makes the file `answering` when it can answer, since it is READY before that.
    """

    name: str
    registry: str
    packages: list[str]
    hosts: str
    gaps: dict[str, list[str]] = field(default_factory=dict)
    webhook_path: str = "/"
    reports_answering: bool = False

    @property
    def missing(self) -> dict[str, str]:
        """The abilities that it lacks, each with the reason."""
        return {ability: reason for reason, abilities in self.gaps.items() for ability in abilities}

    @property
    def slug(self) -> str:
        return self.name.removeprefix("@").replace("/", "-")

    @property
    def folder(self) -> Path:
        return INSTALLED / self.slug

    @property
    def installed(self) -> bool:
        if self.registry == "npm":
            return which("node") is not None and (self.folder / "node_modules").exists()
        return (self.folder / "bin" / "python").exists()

    @property
    def command(self) -> list[str]:
        bot = str(next((HERE / "bots").glob(f"on_{self.slug.replace('-', '_')}.*")))
        return ["node", bot] if self.registry == "npm" else [str(self.folder / "bin" / "python"), bot]

    @property
    def environment(self) -> dict[str, str]:
        if self.registry != "npm":
            return {}
        return {"PACKAGES": str(self.folder), "NODE_OPTIONS": f"--import={HERE / 'bots' / 'hosts.mjs'}"}


def read() -> list[Sdk]:
    data = tomllib.loads((HERE / "sdks.toml").read_text("utf-8"))
    return [Sdk(name, **fields) for name, fields in data.items()]


SDKS = read()
