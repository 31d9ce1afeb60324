"""Serves the static files of the page from the package."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from aiohttp import web

from ..wire.guard import PAGE_HEADERS

_TYPES = {
    ".html": "text/html",
    ".txt": "text/plain",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


async def index(_: web.Request) -> web.Response:
    """Serve the page itself."""
    return _file("index.html")


async def asset(request: web.Request) -> web.Response:
    """Serve one of the page's files."""
    return _file(request.match_info["name"])


def _file(name: str) -> web.Response:
    found = _files().get(name)
    kind = _TYPES.get(PurePosixPath(name).suffix)
    if found is None or kind is None:
        return web.json_response({"error": "there is no such file"}, status=404, headers=PAGE_HEADERS)
    return web.Response(body=found.read_bytes(), content_type=kind, charset="utf-8", headers=PAGE_HEADERS)


def _files() -> dict[str, Traversable]:
    """Return the files by their path below the page's folder, one level deep."""
    top = list(files(__name__.rpartition(".")[0]).joinpath("static").iterdir())
    inner = [(f"{folder.name}/{entry.name}", entry) for folder in top if folder.is_dir() for entry in folder.iterdir()]
    return {name: entry for name, entry in [*((entry.name, entry) for entry in top), *inner] if entry.is_file()}
