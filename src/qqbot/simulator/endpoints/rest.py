"""HTTP front of the OpenAPI: token, route, body, answer, and injected faults.

Responsible for answering every request in the form of the platform, also a malformed one.
Collaborators: the endpoints in `_ENDPOINTS`, `schema` (body checks), `faults` (injected faults), `journal` (records).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from http.client import responses

from aiohttp import BodyPartReader, web

from .. import wire
from ..faults.kinds import CALL, Drop, Fault, Hang, HtmlBody, Http, SentButNoResponse, TokenExpired, TruncateBody
from ..platform import Platform
from ..state.uploads import STORE_PATH
from ..wire import JsonObject, identity
from ..wire.refusal import Refusal
from ..wire.tables import Endpoint as Row
from . import schema, sending
from .bot import accounts, interactions
from .bot.routes import BOT_ENDPOINTS
from .c2c import streams
from .call import Endpoint, EndpointCall
from .group import groups
from .group.routes import GROUP_ENDPOINTS
from .guild import messages as channel_messages
from .guild import roles
from .guild.routes import GUILD_ENDPOINTS

TRACE_HEADER = "X-Tps-trace-ID"
TOKEN_PATH = "/app/getAppAccessToken"
BODY_LIMIT = 32 << 20
"""Bytes of the body of a call; the control API has a smaller limit."""

_MAX_RECORDED = 16384  # characters of a request or an answer in the journal

_ENDPOINTS: Mapping[str, Endpoint] = {
    function.__name__: function
    for function in (
        accounts.get_gateway,
        accounts.get_gateway_bot,
        accounts.get_me,
        accounts.list_my_guilds,
        accounts.create_dms,
        accounts.generate_url_link,
        groups.get_group_info,
        groups.get_group_bot_state,
        groups.list_group_members,
        groups.list_group_members_legacy,
        groups.get_group_member,
        sending.send_group_message,
        sending.send_c2c_message,
        sending.upload_group_media,
        sending.upload_c2c_media,
        sending.prepare_group_upload,
        sending.prepare_c2c_upload,
        sending.finish_group_upload_part,
        sending.finish_c2c_upload_part,
        streams.send_c2c_stream_message,
        sending.delete_group_message,
        sending.delete_c2c_message,
        sending.send_channel_message,
        sending.send_dms,
        sending.delete_channel_message,
        sending.delete_dms,
        channel_messages.get_channel_message,
        channel_messages.list_channel_messages,
        channel_messages.modify_channel_message,
        interactions.ack_interaction,
        *GUILD_ENDPOINTS,
        *GROUP_ENDPOINTS,
        *BOT_ENDPOINTS,
    )
}


_OTHER_FORMS: Mapping[str, Callable[[JsonObject], JsonObject]] = {
    "create_guild_role": roles.flat,
    "modify_guild_role": roles.flat,
}
"""Bodies that the platform takes in another form than that of its page, with what converts them."""

_KEEPS_ZEROS = ("create_guild_role",)  # color 0 differs from the default color

_POLL_SECONDS = 0.05

_UNANSWERED = (Drop, Hang, SentButNoResponse, TruncateBody)


@dataclass(slots=True)
class Answer:
    """An HTTP answer before it is sent; `status` 0: no answer. `code`: error code, 0 for success."""

    status: int
    text: str
    code: int = 0
    content_type: str = "application/json"
    headers: Mapping[str, str] | None = None


_NO_ANSWER = Answer(0, "")


class RestFront:
    """Serves every path except those of the gateway and of the simulator itself."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def handle(self, request: web.Request) -> web.Response:
        """Serve one call."""
        request = request.clone(client_max_size=BODY_LIMIT)
        trace_id = identity.trace_id()
        raw = await _body(request)
        fault = await self._platform.gateway.faults.at(CALL, f"{request.method} {request.path}")
        answer = await self._faulty(request, fault, trace_id) or await self._answer(request, raw, trace_id)
        self._record(request, raw or b"", answer, trace_id)
        headers = {
            TRACE_HEADER: trace_id,
            "Date": format_datetime(self._platform.clock.date().astimezone(UTC), usegmt=True),
            "X-Content-Type-Options": "nosniff",
            **(answer.headers or {}),
        }
        if isinstance(fault, TruncateBody):
            await _send_half(request, answer, headers)
        if isinstance(fault, _UNANSWERED) and request.transport is not None:
            request.transport.abort()
        status = answer.status or 500
        # As bytes: aiohttp adds a charset to a text, and botpy compares the Content-Type with application/json.
        body = answer.text.encode() if status != 204 else None
        kind = {} if body is None else {"Content-Type": answer.content_type}
        return web.Response(status=status, body=body, headers={**kind, **headers})

    async def _faulty(self, request: web.Request, fault: Fault | None, trace_id: str) -> Answer | None:
        """Return the answer that a fault gives; None if the call is to be served."""
        match fault:
            case Http():
                return _refused(fault, trace_id)
            case HtmlBody(status):
                return Answer(status, _page(status), status, "text/html")
            case Drop():
                return _NO_ANSWER
            case Hang():
                await _wait_closed(request)
                return _NO_ANSWER
            case TokenExpired():
                self._platform.tokens.revoke()
            case _:
                pass
        return None

    async def _answer(self, request: web.Request, raw: bytes | None, trace_id: str) -> Answer:
        if raw is None:
            return Answer(413, _page(413), 413, "text/html")
        if request.path.startswith(STORE_PATH):
            return self._store(request, raw)
        if request.path == TOKEN_PATH:
            return self._token(request, raw)
        return await self._serve(request, raw, trace_id)

    def _token(self, request: web.Request, raw: bytes) -> Answer:
        try:
            body = wire.parse(raw) if request.method == "POST" else None
        except ValueError:
            body = None
        document = self._platform.tokens.answer(body)
        code = document.get("code")
        return Answer(200, wire.dump(document), code if wire.is_integer(code) else 0)

    def _store(self, request: web.Request, raw: bytes) -> Answer:
        sign = request.query.get("sign", "")
        status, text = self._platform.media.uploads.put(request.path, sign, raw, request.headers)
        return Answer(status, text, status if status >= 400 else 0, "application/xml")

    async def _serve(self, request: web.Request, raw: bytes, trace_id: str) -> Answer:
        try:
            row, params = self._route(request)
            self._authorize(request, row)
            self._platform.rates.take(row)
            if (document := self._respond(request, raw, row, params)) is not None:
                return Answer(200, wire.dump(document))
            body = await _known_body(request, raw, row)
            row = self._platform.tables.variant(row, body)
            call = EndpointCall(params, dict(request.query), self._checked(row, body))
            document = _ENDPOINTS[row.name](self._platform, call)
        except Refusal as refusal:
            text = wire.dump(refusal.document(trace_id))
            return Answer(refusal.status, text, refusal.code, headers=refusal.headers)
        return Answer(204, "") if document is None else Answer(200, wire.dump(document))

    def _checked(self, row: Row, body: JsonObject) -> JsonObject:
        if (flat := _OTHER_FORMS.get(row.name)) is not None:
            body = flat(body)
        keep_zeros = row.method == "PATCH" or row.name in _KEEPS_ZEROS
        return schema.check(body, row.body, self._platform.tables, keep_zeros=keep_zeros)

    def _route(self, request: web.Request) -> tuple[Row, dict[str, str]]:
        tables, raw_path = self._platform.tables, request.rel_url.raw_path
        if (found := tables.find(request.method, raw_path)) is not None:
            return found
        if tables.knows_path(raw_path):
            raise Refusal(405, "method not allowed", status=405)
        self._platform.journal.violation(f"no such API: {request.method} {request.path}")
        raise Refusal(404, "no such API", status=404)

    def _authorize(self, request: web.Request, row: Row) -> None:
        header = request.headers.get("Authorization", "")
        if not header:
            raise Refusal(11241, "the token is missing", status=401)
        scheme, _, token = header.partition(" ")
        if scheme != "QQBot" or not token:
            raise Refusal(11243, "the token is wrong", status=401)
        if not self._platform.tokens.accepts(token):
            raise Refusal(11244, "the token has expired or does not exist", status=401)
        if not self._platform.may_call(row):
            raise Refusal(11253, "the bot has no right to this interface")

    def _respond(self, request: web.Request, raw: bytes, row: Row, params: dict[str, str]) -> object:
        """Serve an answer to an interaction; None for any other call. The body has no table and is not checked."""
        app_id = request.headers.get(interactions.CALLBACK_HEADER)
        if row.name != "ack_interaction" or app_id is None:
            return None
        return interactions.respond(self._platform, params["interaction_id"], app_id, _json_body(raw))

    def _record(self, request: web.Request, raw: bytes, answer: Answer, trace_id: str) -> None:
        request_text = raw.decode(errors="replace")
        if request.path == TOKEN_PATH:
            request_text, answer_text = _masked(raw, "clientSecret"), _masked(answer.text.encode(), "access_token")
        else:
            answer_text = answer.text
        self._platform.explanations.answered(
            request.method, request.path, raw, status=answer.status, code=answer.code, answer=answer_text
        )
        self._platform.journal.call(
            request.method,
            request.path,
            request.query_string,
            status=answer.status,
            code=answer.code,
            request=request_text[:_MAX_RECORDED],
            answer=answer_text[:_MAX_RECORDED],
            trace_id=trace_id,
        )


async def _body(request: web.Request) -> bytes | None:
    """Return the body, or None if it is too large; a form is read later, part by part."""
    if request.content_type == "multipart/form-data":
        return b""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None
    except web.RequestPayloadError:
        return b"(cannot be decoded)"


async def _known_body(request: web.Request, raw: bytes, row: Row) -> JsonObject:
    """Return the body without nulls.  Raises: Refusal if it cannot be read."""
    if not row.body:
        return {}
    body = await _form(request, row) if request.content_type == "multipart/form-data" else _json_body(raw)
    known = wire.without_nulls(body)
    return known if wire.is_object(known) else {}


def _json_body(raw: bytes) -> JsonObject:
    if raw.strip() in (b"", b"null"):
        return {}
    try:
        return wire.parse_object(raw)
    except ValueError:
        raise Refusal(schema.BAD_BODY, "request body wrong: not a JSON object") from None


async def _form(request: web.Request, row: Row) -> JsonObject:
    """Return the fields of a form; a field that is neither text nor a file in the table is JSON."""
    types = {field.name: field.type for field in row.body}
    values: JsonObject = {}
    size = 0
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise Refusal(50035, "the form-data is invalid")
            data = bytearray()
            while chunk := await part.read_chunk():
                size += len(chunk)
                if size > BODY_LIMIT:
                    raise web.HTTPRequestEntityTooLarge(BODY_LIMIT, size)
                data += chunk
            values[part.name] = _form_value(part.decode(bytes(data)), types.get(part.name, "string"))
    except ValueError:
        raise Refusal(50035, "the form-data is invalid") from None
    return values


def _form_value(data: bytes, kind: str) -> object:
    """Return the value of a part; the table decides what is a file, since some SDKs send it without a filename."""
    if kind == "file":
        return data
    if not data:
        return None
    text = data.decode()
    return text if kind == "string" else wire.parse(text)


def _masked(text: bytes, name: str) -> str:
    try:
        document = wire.parse_object(text)
    except ValueError:
        return "(not a JSON object)"
    return wire.dump({**document, name: "***"} if name in document else document)


def _refused(fault: Http, trace_id: str) -> Answer:
    headers = dict(fault.headers)
    if fault.retry_after is not None:
        headers["Retry-After"] = f"{fault.retry_after:g}"
    if isinstance(fault.body, str):
        return Answer(fault.status, fault.body, content_type="text/html", headers=headers)
    document = fault.body
    if document is None:
        document = Refusal(fault.status, "fault", fault.status).document(trace_id)
    code = document.get("code") if wire.is_object(document) else None
    return Answer(fault.status, wire.dump(document), code if wire.is_integer(code) else 0, headers=headers)


def _page(status: int) -> str:
    """Return the error page of a proxy."""
    title = f"{status} {responses.get(status, '')}".strip()
    return f"<html><head><title>{title}</title></head></html>"


async def _wait_closed(request: web.Request) -> None:
    """Return when the client has closed the connection."""
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - aiohttp signals no event
        await asyncio.sleep(_POLL_SECONDS)


async def _send_half(request: web.Request, answer: Answer, headers: Mapping[str, str]) -> None:
    """Send an answer up to the middle of its body, so that the client sees a truncated one."""
    body = answer.text.encode()
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_type, response.content_length = answer.content_type, max(len(body), 2)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
