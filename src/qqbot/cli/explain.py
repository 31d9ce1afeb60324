"""`qqbot explain`: the meaning of an API error code or of a gateway close code; works offline.

Responsible for the two output formats, text and JSON. Collaborators: `api.codes` and `gateway.close_codes` (how the
package reacts to a code), the data of the simulator (the meaning as the platform documents it).
"""

import argparse
from dataclasses import asdict, dataclass
from importlib.resources import files

from msgspec import Struct

from .terminal import CommandFailed, show, show_json

HELP = "explain an API error code or a close code"

_FAMILIES = {"general": "OpenAPI", "token": "access token", "share_link": "generate_url_link"}
_RETRIES = {
    "no": "not as it stands",
    "once": "once",
    "backoff": "later, with a growing delay",
    "quota": "when the allowance is renewed",
    "token": "with a new access token",
    "seq": "no: it was accepted before; a different message needs a new msg_seq",
    "active": "only as an active message",
    "accepted": "no: it was accepted, the result comes as an event",
}
_ACTIONS = {
    "RESUME": "the bot connects again and resumes its session",
    "IDENTIFY": "the bot connects again with a new session",
    "STOP": "the bot stops",
    "RESHARD": "the bot asks for the number of shards again",
}


class _CodeRow(Struct):
    """One code as the platform documents it."""

    code: int
    meaning: str
    sources: list[str] = []
    status: str = ""


class _Range(Struct, rename={"first": "from", "last": "to"}):
    first: int
    last: int
    area: str


class _TokenEndpoint(Struct):
    errors: list[_CodeRow]
    sources: list[str]


class _Tables(Struct):
    api_errors: list[_CodeRow]
    api_error_ranges: list[_Range]
    close_codes: list[_CodeRow]
    token: _TokenEndpoint


@dataclass(frozen=True, slots=True)
class Explanation:
    """One meaning of a code. `remedy`: the class of the error, or what the bot does if the gateway closes with it."""

    code: int
    family: str
    meaning: str
    remedy: str
    retry: str
    hint_zh: str
    hint_en: str
    source: str


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = "Explain an error code of the API or a close code of the gateway. Works offline. 解释错误码"
    parser.epilog = "Example: qqbot explain 40034005. The exit code is 2 if the code is not documented."
    parser.add_argument("code", metavar="CODE", type=int, help="the number in an error text, such as 11298 or 4014")
    parser.add_argument("--json", action="store_true", help="print a JSON array with one object for each meaning")
    parser.set_defaults(command=_explain)


def _explain(arguments: argparse.Namespace) -> None:
    tables = _read_tables()
    meanings = [*_api_meanings(arguments.code, tables), *_close_meanings(arguments.code, tables)]
    if arguments.json:
        show_json([asdict(each) for each in meanings], indent=2)
    elif meanings:
        show("\n\n".join(map(_text, meanings)))
    if not meanings:
        raise CommandFailed(_unknown(arguments.code, tables), code=2)


def _read_tables() -> _Tables:
    from ..models.codec import decoder

    return decoder(_Tables)(files("qqbot").joinpath("simulator", "wire", "data", "codes.json").read_bytes())


def _api_meanings(code: int, tables: _Tables) -> list[Explanation]:
    from ..api.codes import explain

    general = _find(tables.api_errors, code)
    rows = {"token": _find(tables.token.errors, code)}
    return [
        Explanation(
            code=code,
            family=_FAMILIES[family],
            meaning=row.meaning if (row := rows.get(family) or general) else "",
            remedy=close_rule.error.__name__,
            retry=_RETRIES[close_rule.retry.value],
            hint_zh=close_rule.hint.zh,
            hint_en=close_rule.hint.en,
            source=", ".join(tables.token.sources if family == "token" else general.sources if general else ()),
        )
        for family, close_rule in explain(code).items()
    ]


def _close_meanings(code: int, tables: _Tables) -> list[Explanation]:
    from ..gateway.close_codes import close_rule

    row = _find(tables.close_codes, code)
    if row is None or row.status == "sdk-internal":  # numbers of another SDK, which no gateway sends
        return []
    rule = close_rule(code)
    return [
        Explanation(
            code=code,
            family="gateway close code",
            meaning=row.meaning,
            remedy=_ACTIONS[rule.action.name],
            retry=f"after {rule.delay:g} s or more" if rule.delay else "",
            hint_zh=rule.hint.zh if rule.hint else "",
            hint_en=rule.hint.en if rule.hint else "",
            source=", ".join(row.sources) or rule.source,
        )
    ]


def _find(rows: list[_CodeRow], code: int) -> _CodeRow | None:
    return next((row for row in rows if row.code == code), None)


def _text(each: Explanation) -> str:
    lines = {
        "meaning": each.meaning,
        "remedy": each.remedy,
        "retry": each.retry,
        "提示": each.hint_zh,
        "hint": each.hint_en,
        "source": each.source,
    }
    return "\n".join([f"{each.code}  {each.family}", *(f"  {name}: {value}" for name, value in lines.items() if value)])


def _unknown(code: int, tables: _Tables) -> str:
    area = next((each.area for each in tables.api_error_ranges if each.first <= code <= each.last), None)
    if 4000 <= code <= 4999:
        area = "gateway close codes"
    where = f"; codes from its range are about: {area}" if area else ""
    return f"{code} is not documented{where}. Report it with the error's text and trace id"
