"""Calls over a real socket: repeats, waits, deadlines, errors, hooks."""

import asyncio
import logging
import time

import pytest
from aiohttp import web

from qqbot import Api, Credentials, Media, ReplyTo, __version__
from qqbot.api.caller import ResponseInfo
from qqbot.api.exchange import Request, Response
from qqbot.api.resources.groups import SEND_GROUP_MESSAGE
from qqbot.api.resources.panels import CREATE_PANEL
from qqbot.api.route import Route
from qqbot.errors import (
    ApiError,
    AuthError,
    ConfigError,
    ConnectionFailed,
    DecodeError,
    DuplicateMessage,
    IPNotAllowed,
    LeaseLost,
    MessagePendingAudit,
    NotFound,
    RateLimited,
    ServerError,
    Timeout,
    TransportError,
)
from qqbot.lease import current_lease
from qqbot.models.guilds import Guild
from qqbot.models.messages import MessageSendResult
from tests.api.scripted import APP_ID, SECRET, TRACE, Scripted, cut, hang, raw, reply
from tests.stopwatch import stopwatch

REPLY = ReplyTo(msg_id="M1")
SENT = {"id": "S1", "timestamp": "2026-11-23T10:00:00+08:00"}


async def test_a_call_carries_token_and_json(platform: Scripted) -> None:
    platform.answers.append(reply(SENT))
    async with platform.api() as api:
        sent = await api.groups.send_message("G1", "hello")
    assert sent.id == "S1"
    (seen,) = platform.calls
    assert (seen.method, seen.path, seen.token) == ("POST", "/v2/groups/G1/messages", "token-1-secret")
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.headers["User-Agent"] == f"aioqqbot/{__version__}"
    assert seen.json == {"msg_type": 0, "content": "hello"}


async def test_an_error_says_what_where_and_trace_id(platform: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "qqbot")
    platform.answers.append(reply({"code": 11255, "message": "gone"}, 404))
    async with platform.api() as api:
        with pytest.raises(NotFound) as caught:
            await api.groups.info("G1")
    error = caught.value
    assert (error.status, error.code, error.message) == (404, 11255, "gone")
    assert (error.method, error.path, error.trace_id) == ("GET", "/v2/groups/G1/info", TRACE)
    assert TRACE in caplog.text


async def test_a_refused_token_is_dropped_and_the_call_repeated_once(platform: Scripted) -> None:
    platform.answers.extend([reply({"code": 11244}, 401), reply(SENT)])
    async with platform.api() as api:
        assert (await api.groups.send_message("G1", "hello")).id == "S1"
    assert [seen.token for seen in platform.calls] == ["token-1-secret", "token-2-secret"]


async def test_a_token_refused_twice_is_an_error(platform: Scripted) -> None:
    platform.answers.extend([reply({"code": 11243}, 401)] * 3)
    async with platform.api() as api:
        with pytest.raises(AuthError):
            await api.users.me()
    assert len(platform.calls) == 2


async def test_100_calls_with_a_dead_token_make_one_token_request(platform: Scripted) -> None:
    async def judge(request: web.Request) -> web.StreamResponse:
        alive = "token-2-secret" in request.headers["Authorization"]
        return web.json_response({"id": "bot"}) if alive else web.json_response({"code": 11244}, status=401)

    async with platform.api() as api:
        await api.users.me()
        platform.answers.extend([judge] * 200)
        users = await asyncio.gather(*(api.users.me() for _ in range(100)))
    assert {user.id for user in users} == {"bot"}
    assert len(platform.token_calls) == 2


async def test_a_refused_ip_is_not_repeated(platform: Scripted) -> None:
    platform.answers.append(reply({"code": 11298, "err_code": 40023002, "trace_id": "t"}, 401))
    async with platform.api() as api:
        with pytest.raises(IPNotAllowed) as caught:
            await api.users.me()
    assert "IP" in str(caught.value)
    assert (len(platform.calls), len(platform.token_calls)) == (1, 1)


async def test_a_passive_message_is_repeated_with_its_msg_seq_after_a_cut(platform: Scripted) -> None:
    platform.answers.extend([cut, reply({"code": 40054005, "message": "dup"}, 400)])
    async with platform.api() as api:
        sent = await api.groups.send_message("G1", "hello", reply_to=REPLY)
    assert sent.id == ""
    first, second = platform.calls
    assert first.json == second.json
    assert first.json["msg_seq"] == 1


async def test_a_duplicate_at_the_first_try_is_an_error(platform: Scripted) -> None:
    platform.answers.append(reply({"code": 40054005}, 400))
    async with platform.api() as api:
        with pytest.raises(DuplicateMessage):
            await api.c2c.send_message("U1", "hello", reply_to=REPLY)


async def test_a_duplicate_after_a_mere_429_is_an_error(platform: Scripted) -> None:
    platform.answers.extend([reply({}, 429, {"Retry-After": "0"}), reply({"code": 40054005}, 400)])
    async with platform.api() as api:
        with pytest.raises(DuplicateMessage):
            await api.c2c.send_message("U1", "hello", reply_to=REPLY)


async def test_an_active_message_is_not_repeated_after_a_cut(platform: Scripted) -> None:
    platform.answers.append(cut)
    async with platform.api() as api:
        with pytest.raises(ConnectionFailed, match="may have been sent") as caught:
            await api.groups.send_message("G1", "hello")
    assert caught.value.maybe_sent
    assert len(platform.calls) == 1


async def test_a_guild_message_is_not_repeated_after_a_failure(platform: Scripted) -> None:
    platform.answers.append(reply({}, 502))
    async with platform.api() as api:
        with pytest.raises(ServerError):
            await api.channels.send_message("C1", "hello", reply_to=REPLY)
    assert len(platform.calls) == 1


async def test_a_code_that_is_not_known_is_no_reason_to_send_again(platform: Scripted) -> None:
    platform.answers.extend([reply({"code": 987654, "err_code": 40099999, "message": "?"}, 500)] * 2)
    async with platform.api() as api:
        with pytest.raises(ServerError) as caught:
            await api.groups.send_message("G1", "hello", reply_to=REPLY)
        assert caught.value.code == 40099999
        assert len(platform.calls) == 1
        assert (await api.users.me()).id == ""
    assert len(platform.calls) == 3


async def test_the_number_that_is_known_decides_about_repeats(platform: Scripted) -> None:
    for known in ({"code": 50055001, "err_code": 40099999}, {"code": 987654, "err_code": 50055001}):
        platform.calls.clear()
        platform.answers.extend([reply(known, 500), reply({"id": "m"})])
        async with platform.api() as api:
            assert (await api.groups.send_message("G1", "hello", reply_to=REPLY)).id == "m"
        assert len(platform.calls) == 2


async def test_a_review_without_a_code_is_pending(platform: Scripted) -> None:
    platform.answers.append(reply({"data": {"message_audit": {"audit_id": "A1"}}}))
    async with platform.api() as api:
        with pytest.raises(MessagePendingAudit) as caught:
            await api.groups.send_message("G1", "hello", reply_to=REPLY)
    assert (caught.value.audit_id, caught.value.status, caught.value.code) == ("A1", 200, 0)
    assert len(platform.calls) == 1


async def test_no_content_is_an_empty_answer(platform: Scripted) -> None:
    async with platform.api() as api:
        for _ in range(6):
            platform.answers.append(raw(b"", 204))
        assert (await api.groups.send_message("G1", "hello", reply_to=REPLY)) == MessageSendResult()
        assert (await api.channels.send_message("C1", "hello")).id == ""
        assert await api.guilds.get("1") == Guild(id="")
        assert await api.channels.of_guild("1") == []
        assert [each async for each in api.media_images.iter()] == []
        await api.interactions.ack("1")
        assert len(platform.calls) == 6
        platform.answers.append(raw(b"", 204))
        with pytest.raises(DecodeError, match="panel_id"):
            await api.call(CREATE_PANEL, body={})
        assert len(platform.calls) == 7
        platform.answers.append(raw(b"", 200))
        platform.answers.extend([raw(b"", 200)] * 3)
        with pytest.raises(ServerError, match="it is empty"):
            await api.guilds.get("1")


async def test_a_timed_out_message_may_have_been_sent(platform: Scripted) -> None:
    platform.answers.append(hang)
    async with platform.api() as api:
        with pytest.raises(Timeout, match=r"POST /v2/users/U1/messages.*may have been sent"):
            await api.c2c.send_message("U1", "hello", timeout=0.6)


async def test_reading_is_repeated_after_a_failure(platform: Scripted) -> None:
    platform.answers.extend([reply({}, 503), reply({"id": "bot"})])
    async with platform.api() as api:
        assert (await api.users.me()).id == "bot"


async def test_a_call_ends_with_its_timeout_whatever_is_left_to_try(platform: Scripted) -> None:
    platform.answers.extend([reply({}, 503)] * 10)
    async with platform.api(timeout=1.2) as api, stopwatch() as watch:
        with pytest.raises(ServerError):
            await api.users.me()
        assert watch.seconds < 1.5
    assert len(platform.calls) <= 3


async def test_429_is_waited_out_for_its_target_only(platform: Scripted) -> None:
    arrived: list[tuple[str, float]] = []
    told = asyncio.Event()

    async def note(request: web.Request) -> web.StreamResponse:
        arrived.append((request.path, time.monotonic()))
        return web.json_response(SENT)

    def hear(info: ResponseInfo) -> None:
        if info.status == 429:
            told.set()

    platform.answers.extend([reply({}, 429, {"Retry-After": "0.6"}), note, note, note])
    async with platform.api(on_response=[hear]) as api:
        first = asyncio.create_task(api.groups.send_message("G1", "one"))
        await told.wait()
        started = time.monotonic()
        second = asyncio.create_task(api.groups.send_message("G1", "two"))
        async with stopwatch() as watch:
            await api.groups.send_message("G2", "three")
            assert watch.seconds < 0.5
        await asyncio.gather(first, second)
    assert [path for path, _ in arrived] == ["/v2/groups/G2/messages", *["/v2/groups/G1/messages"] * 2]
    assert all(moment - started >= 0.59 for _, moment in arrived[1:])


async def test_a_429_longer_than_the_timeout_is_raised_and_remembered(platform: Scripted) -> None:
    platform.answers.append(reply({}, 429, {"Retry-After": "60"}))
    async with platform.api() as api:
        for _ in range(2):
            with pytest.raises(RateLimited) as caught:
                await api.users.me(timeout=5)
            assert caught.value.retry_after == pytest.approx(60, abs=7)
    assert len(platform.calls) == 1


async def test_an_unreachable_token_endpoint_is_tried_again_even_for_an_active_message(platform: Scripted) -> None:
    platform.token_answers.append(cut)
    platform.answers.append(reply(SENT))
    async with platform.api() as api:
        assert (await api.groups.send_message("G1", "hello")).id == "S1"


async def test_refused_credentials_are_not_repeated(platform: Scripted) -> None:
    platform.token_answers.append(reply({"code": 100016, "message": "invalid appid or secret"}))
    async with platform.api() as api:
        with pytest.raises(AuthError, match="AppSecret"):
            await api.users.me()
    assert (len(platform.calls), len(platform.token_calls)) == (0, 1)


async def test_a_silent_token_endpoint_ends_with_the_call(platform: Scripted) -> None:
    platform.token_answers.append(hang)
    async with platform.api() as api:
        with pytest.raises(Timeout, match=r"no access token.*nothing was sent"):
            await api.users.me(timeout=0.2)


class EndedLease:
    shard = "3/20"

    def valid(self) -> bool:
        return False


async def test_nothing_is_sent_for_a_shard_that_another_process_may_run(platform: Scripted) -> None:
    platform.answers.append(reply(SENT))
    async with platform.api() as api:
        token = current_lease.set(EndedLease())  # type: ignore[arg-type]
        try:
            with pytest.raises(LeaseLost, match="3/20"):
                await api.groups.send_message("G1", "hello")
        finally:
            current_lease.reset(token)
        assert platform.calls == []
        await api.groups.send_message("G1", "hello")


async def test_review(platform: Scripted) -> None:
    platform.answers.append(reply({"code": 304023, "data": {"message_audit": {"audit_id": "A1"}}}, 202))
    async with platform.api() as api:
        with pytest.raises(MessagePendingAudit) as caught:
            await api.channels.send_message("C1", "hello")
    assert caught.value.audit_id == "A1"


@pytest.mark.parametrize("body", [b"<html>please log in</html>", b""])
async def test_an_answer_of_somebody_else(platform: Scripted, body: bytes) -> None:
    platform.answers.append(raw(body, content_type="text/html"))
    async with platform.api() as api:
        with pytest.raises(ServerError, match="not JSON") as caught:
            await api.groups.send_message("G1", "hello")
    assert caught.value.trace_id == TRACE


async def test_an_answer_of_another_form_says_where(platform: Scripted) -> None:
    platform.answers.append(reply([1, 2]))
    async with platform.api() as api:
        with pytest.raises(DecodeError, match=f"GET /users/@me .*{TRACE}"):
            await api.users.me()


async def test_a_charset_does_not_matter(platform: Scripted) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"id": "机"}, content_type="text/plain")

    platform.answers.append(answer)
    async with platform.api() as api:
        assert (await api.users.me()).id == "机"


async def test_nothing_to_say(platform: Scripted) -> None:
    platform.answers.extend([raw(b"", 204), raw(b""), reply({})])
    async with platform.api() as api:
        await api.groups.recall("G1", "M1")
        await api.interactions.ack("I1", 3)
        await api.c2c.recall("U1", "M1")
    assert [(seen.method, seen.path) for seen in platform.calls] == [
        ("DELETE", "/v2/groups/G1/messages/M1"),
        ("PUT", "/interactions/I1"),
        ("DELETE", "/v2/users/U1/messages/M1"),
    ]
    assert platform.calls[1].json == {"code": 3}


async def test_raw_passthrough(platform: Scripted) -> None:
    platform.answers.append(raw(b"\x89PNG"))
    route = Route("new", "POST", "/v3/things/{id}", bytes)
    async with platform.api() as api:
        answer = await api.call(route, "a/b", query={"x": True, "y": None}, body={"n": 0, "s": ""})
    assert answer == b"\x89PNG"
    assert platform.calls[0].path == "/v3/things/a%2Fb?x=true"
    assert platform.calls[0].json == {"n": 0, "s": ""}


async def test_bytes_are_sent_as_they_are(platform: Scripted) -> None:
    async with platform.api() as api:
        await api.call(Route("new", "PUT", "/x", bytes), body=b'{"a": 1}')
    assert platform.calls[0].body == b'{"a": 1}'


async def test_another_host_never_gets_the_token(platform: Scripted) -> None:
    async with Scripted() as other, platform.api() as api:
        await api.call(Route("elsewhere", "GET", f"{other.url}/file", bytes))
        other.answers.append(reply({"code": 5}))
        assert await api.call(Route("elsewhere", "GET", f"{other.url}/file", bytes)) == b'{"code": 5}'
        await api.call(Route("here", "GET", f"{platform.url}/file", bytes))
    assert "Authorization" not in other.calls[0].headers
    assert platform.calls[0].token == "token-1-secret"


async def test_a_redirect_is_not_followed(platform: Scripted) -> None:
    async with Scripted() as other, platform.api() as api:
        platform.answers.append(reply({}, 302, {"Location": f"{other.url}/steal"}))
        with pytest.raises(ApiError):
            await api.users.me()
    assert other.calls == []


@pytest.mark.parametrize("bad", ["", ".", ".."])
async def test_bad_ids_are_refused_before_anything_is_sent(platform: Scripted, bad: str) -> None:
    async with platform.api() as api:
        with pytest.raises(ConfigError):
            await api.groups.send_message(bad, "hello")
    assert platform.token_calls == []


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
async def test_a_timeout_is_positive(platform: Scripted, timeout: float) -> None:
    async with platform.api() as api:
        with pytest.raises(ConfigError, match="timeout"):
            await api.users.me(timeout=timeout)


async def test_hooks_run_in_order_plain_and_async(platform: Scripted) -> None:
    infos: list[ResponseInfo] = []

    def first(request: Request) -> None:
        request.headers["X-Request-Id"] = "1"

    async def second(request: Request) -> None:
        await asyncio.sleep(0)
        request.headers["X-Request-Id"] += "2"
        assert "Authorization" not in request.headers

    async def observe(info: ResponseInfo) -> None:
        await asyncio.sleep(0)
        infos.append(info)

    platform.answers.append(reply({"code": 1, "message": "no"}, 400))
    async with platform.api(on_request=[first, second], on_response=[infos.append, observe]) as api:
        with pytest.raises(ApiError):
            await api.users.me()
    assert platform.calls[0].headers["X-Request-Id"] == "12"
    assert len(infos) == 2
    info = infos[0]
    assert (info.method, info.path, info.status, info.trace_id) == ("GET", "/users/@me", 400, TRACE)
    assert 0 < info.elapsed < 5


async def test_a_request_hook_can_refuse(platform: Scripted) -> None:
    def refuse(request: Request) -> None:
        raise PermissionError(request.path)

    async with platform.api(on_request=[refuse]) as api:
        with pytest.raises(PermissionError, match="/users/@me"):
            await api.users.me()
    assert (platform.calls, platform.token_calls) == ([], [])


async def test_a_request_hook_has_the_calls_time(platform: Scripted) -> None:
    async def hang_up(_: Request) -> None:
        await asyncio.Event().wait()

    async with platform.api(on_request=[hang_up]) as api:
        with pytest.raises(Timeout, match=r"GET /users/@me: a request hook took too long; nothing was sent") as caught:
            await api.users.me(timeout=0.1)
    assert not caught.value.maybe_sent
    assert (platform.calls, platform.token_calls) == ([], [])


async def test_a_request_hooks_own_timeout_is_its_own(platform: Scripted) -> None:
    async def refuse(_: Request) -> None:
        raise TimeoutError("the vault is sealed")

    async with platform.api(on_request=[refuse]) as api:
        with pytest.raises(TimeoutError, match="sealed"):
            await api.users.me()


async def test_a_response_hook_has_the_calls_time(platform: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    async def hang_up(_: ResponseInfo) -> None:
        await asyncio.Event().wait()

    platform.answers.append(reply(SENT))
    async with platform.api(on_response=[hang_up]) as api, asyncio.timeout(5):
        assert (await api.groups.send_message("G1", "hello", timeout=1.0)).id == "S1"
    assert "exceeded the call's timeout" in caplog.text


@pytest.mark.parametrize("name", ["access_token", "clientSecret", "client_secret", "secret", "token"])
async def test_what_is_logged_of_a_body_has_its_secrets_masked(
    platform: Scripted, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.DEBUG, "qqbot.api.caller")
    body = f'{{"{name}" : "hidden-1", "content": "{SECRET} and token-1-secret", "id": "7"}}'
    platform.answers.append(raw(body.encode()))
    async with platform.api() as api:
        await api.call(Route("r", "POST", "/raw", bytes), body=body.encode())
    shown = [record.getMessage() for record in caplog.records if f'"{name}":"***"' in record.getMessage()]
    assert len(shown) == 2  # of the request and of the answer
    for text in shown:
        assert '"content":"*** and' in text and '"id":"7"' in text
        assert "hidden" not in text and SECRET not in text
    assert "token-1-secret" not in caplog.text


async def test_a_failing_response_hook_costs_nothing(platform: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: ResponseInfo) -> None:
        raise RuntimeError("broken hook")

    platform.answers.append(reply(SENT))
    async with platform.api(on_response=[fail]) as api:
        assert (await api.groups.send_message("G1", "hello")).id == "S1"
    assert "broken hook" in caplog.text


async def test_a_response_hook_sees_status_and_headers(platform: Scripted) -> None:
    infos: list[ResponseInfo] = []
    platform.answers.append(reply({"code": 1, "message": "no"}, 400))
    async with platform.api(on_response=[infos.append]) as api:
        with pytest.raises(ApiError):
            await api.groups.send_message("G1", "hello")
    (info,) = infos
    assert (info.status, info.route, info.error) == (400, "/v2/groups/{group_openid}/messages", None)
    assert info.path == "/v2/groups/G1/messages"
    assert info.header("x-tps-trace-id") == info.trace_id == TRACE
    assert str(info.header("content-type")).startswith("application/json")
    assert info.header("x-nothing") is None
    assert "application/json" not in repr(info)


async def test_a_response_hook_cannot_change_the_answer(platform: Scripted) -> None:
    def change(info: ResponseInfo) -> None:
        info.headers["x-tps-trace-id"] = "mine"

    platform.answers.append(reply({"code": 1, "message": "no"}, 400))
    async with platform.api(on_response=[change]) as api:
        with pytest.raises(ApiError) as caught:
            await api.users.me()
    assert caught.value.trace_id == TRACE


@pytest.mark.parametrize("kind", [RuntimeError, TimeoutError, ConnectionFailed, asyncio.CancelledError])
@pytest.mark.parametrize("status", [200, 400])
async def test_no_response_hook_can_fail_a_call(platform: Scripted, kind: type[BaseException], status: int) -> None:
    seen: list[int] = []

    async def fail(info: ResponseInfo) -> None:
        await asyncio.sleep(0)
        raise kind("broken hook")

    platform.answers.append(reply({"code": 1, "message": "no"} if status == 400 else SENT, status))
    async with platform.api(on_response=[fail, lambda info: seen.append(info.status)]) as api:
        if status == 200:
            assert (await api.groups.send_message("G1", "hello")).id == "S1"
        else:
            with pytest.raises(ApiError, match="no"):
                await api.groups.send_message("G1", "hello")
    assert seen == [status], "the next hook is called"
    assert len(platform.calls) == 1, "and nothing is repeated"


async def test_a_call_that_is_cancelled_during_a_response_hook_is_cancelled(platform: Scripted) -> None:
    reached = asyncio.Event()

    async def hang_up(info: ResponseInfo) -> None:
        reached.set()
        await asyncio.Event().wait()

    platform.answers.append(reply(SENT))
    async with platform.api(on_response=[hang_up]) as api:
        call = asyncio.create_task(api.groups.send_message("G1", "hello"))
        await reached.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_a_response_hook_hears_why_no_answer_came(platform: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    infos: list[ResponseInfo] = []

    async def slow(info: ResponseInfo) -> None:
        await asyncio.sleep(0.01)
        infos.append(info)

    async def hang_up(info: ResponseInfo) -> None:
        await asyncio.Event().wait()

    platform.answers.append(hang)
    async with platform.api(on_response=[slow, hang_up]) as api, asyncio.timeout(5):
        with pytest.raises(Timeout):
            await api.groups.send_message("G1", "hello", timeout=0.2)
    (info,) = infos
    assert info.status == 0
    assert isinstance(info.error, Timeout)
    assert info.trace_id is None and info.headers == {}
    assert info.elapsed >= 0.1
    assert caplog.text.count("exceeded the call's timeout") == 1


async def test_a_cancelled_call_leaves_the_client_usable(platform: Scripted) -> None:
    platform.answers.append(hang)
    async with platform.api() as api:
        call = asyncio.create_task(api.users.me())
        await platform.called.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        platform.answers.append(reply({"id": "bot"}))
        assert (await api.users.me()).id == "bot"
    assert [task for task in asyncio.all_tasks() if "qqbot" in task.get_name()] == []


async def test_media_is_uploaded_within_the_send(platform: Scripted) -> None:
    platform.answers.extend([reply({"file_info": "INFO", "ttl": 60}), reply(SENT)])
    async with platform.api() as api:
        await api.groups.send_message("G1", Media.image("https://host/cat.png", "a cat"), reply_to=REPLY, timeout=5)
    upload, send = platform.calls
    assert upload.path == "/v2/groups/G1/files"
    assert upload.json == {"file_type": 1, "srv_send_msg": False, "url": "https://host/cat.png"}
    assert send.json == {
        "msg_type": 7,
        "content": "a cat",
        "media": {"file_info": "INFO"},
        "msg_id": "M1",
        "msg_seq": 1,
    }


async def test_one_timeout_covers_upload_and_message(platform: Scripted) -> None:
    async def slowly(_: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.json_response({"file_info": "INFO"})

    platform.answers.extend([slowly, hang])
    async with platform.api() as api, stopwatch() as watch:
        with pytest.raises(Timeout):
            await api.c2c.send_message("U1", Media.image("https://host/cat.png"), timeout=0.6)
        assert watch.seconds < 0.85


async def test_replies_are_numbered_per_message(platform: Scripted) -> None:
    async with platform.api() as api:
        await asyncio.gather(*(api.groups.send_message("G1", "x", reply_to=REPLY) for _ in range(3)))
        await api.c2c.send_message("U1", "x", reply_to=ReplyTo(event_id="E1"))
        await api.groups.send_message("G1", "x", reply_to=ReplyTo(msg_id="M1", msg_seq=77))
    assert sorted(seen.json["msg_seq"] for seen in platform.calls[:3]) == [1, 2, 3]  # type: ignore[type-var]
    assert platform.calls[3].json["msg_seq"] == 1
    assert platform.calls[4].json["msg_seq"] == 77


class Recording:
    """A transport that answers from a script and notes each request's timeout."""

    def __init__(self, *outcomes: Response | TransportError) -> None:
        self.outcomes = list(outcomes)
        self.timeouts: list[float] = []

    async def send(self, request: Request) -> Response:
        if request.path == "/app/getAppAccessToken":
            return Response(200, {}, b'{"access_token": "t", "expires_in": 7200}')
        self.timeouts.append(request.timeout)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, TransportError):
            raise outcome
        return outcome


OK = Response(200, {}, b'{"id": "S1"}')


async def test_what_was_never_sent_is_repeated_even_for_an_active_message() -> None:
    unreached = ConnectionFailed("no route")
    unreached.maybe_sent = False
    transport = Recording(unreached, OK)
    async with Api(Credentials(APP_ID, SECRET), transport=transport) as api:
        assert (await api.groups.send_message("G1", "hello")).id == "S1"


async def test_an_attempt_leaves_time_for_a_repeat_where_one_is_possible() -> None:
    transport = Recording(OK, OK, OK, Response(200, {}, b'{"file_info": "F"}'))
    async with Api(Credentials(APP_ID, SECRET), transport=transport, timeout=30) as api:
        await api.groups.send_message("G1", "active")
        await api.groups.send_message("G1", "passive", reply_to=REPLY)
        await api.groups.send_message("G1", "passive", reply_to=REPLY, timeout=2)
        await api.groups.upload_media("G1", Media.image("https://host/cat.png"))
    assert transport.timeouts == pytest.approx([30, 10, 2, 120], abs=1.5)


async def test_the_fate_of_a_call_is_told_from_all_its_attempts() -> None:
    unreached = ConnectionFailed("no route")
    unreached.maybe_sent = False
    transport = Recording(Timeout("silence"), unreached, unreached, unreached)
    async with Api(Credentials(APP_ID, SECRET), transport=transport) as api:
        with pytest.raises(ConnectionFailed, match="may have been sent") as caught:
            await api.groups.send_message("G1", "passive", reply_to=REPLY)
    assert caught.value.maybe_sent
    assert len(transport.timeouts) == 4


def test_the_send_route_is_repeatable_only_when_numbered() -> None:
    assert SEND_GROUP_MESSAGE.repeatable is None


async def test_a_retry_after_of_a_year_does_not_end_a_route(
    platform: Scripted, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.api.limits.LONGEST", 0.3)
    monkeypatch.setattr("qqbot.api.caller.LONGEST", 0.3)
    platform.answers.append(reply({}, 429, {"Retry-After": str(365 * 86_400)}))
    async with platform.api(timeout=0.2) as api:
        with pytest.raises(RateLimited) as caught:
            await api.guilds.get("G1")
        assert caught.value.retry_after == 365 * 86_400
        with pytest.raises(RateLimited, match="an earlier call has to wait"):
            await api.guilds.get("G1")
        await asyncio.sleep(0.3)
        platform.answers.append(reply({"id": "G1"}))
        assert (await api.guilds.get("G1")).id == "G1"
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "asks to wait 31536000 s" in warnings[0]
