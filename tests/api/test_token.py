"""The access token, over a real socket."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from qqbot import Credentials
from qqbot.api.token import AccessTokens, SharedToken
from qqbot.api.transport import AiohttpTransport
from qqbot.errors import ApiError, AuthError, ConnectionFailed, IPNotAllowed, RateLimited, ServerError
from tests.api.scripted import APP_ID, SECRET, ManualClock, Scripted, cut, hang, raw, reply


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def tokens(platform: Scripted, clock: ManualClock) -> AsyncGenerator[AccessTokens]:
    async with aiohttp.ClientSession() as session:
        source = AccessTokens(
            AiohttpTransport(session), Credentials(APP_ID, SECRET), platform.endpoints.token_url, clock
        )
        yield source
        await source.close()


def token(name: str, expires_in: object = "7200") -> object:
    return {"access_token": name, "expires_in": expires_in}


async def until(platform: Scripted, count: int) -> None:
    async with asyncio.timeout(5):
        while len(platform.token_calls) < count:
            await asyncio.sleep(0.005)


async def test_the_request_is_as_documented(platform: Scripted, tokens: AccessTokens) -> None:
    await tokens.get()
    assert platform.token_calls[0].json == {"appId": APP_ID, "clientSecret": SECRET}
    assert platform.token_calls[0].headers["Content-Type"] == "application/json"
    assert "Authorization" not in platform.token_calls[0].headers


async def test_100_callers_make_one_request(platform: Scripted, tokens: AccessTokens) -> None:
    assert set(await asyncio.gather(*(tokens.get() for _ in range(100)))) == {"token-1-secret"}
    assert len(platform.token_calls) == 1


@pytest.mark.parametrize("expires_in", ["7200", 7200])
async def test_kept_until_its_last_minute(
    platform: Scripted, tokens: AccessTokens, clock: ManualClock, expires_in: object
) -> None:
    platform.token_answers.append(reply(token("first", expires_in)))
    assert await tokens.get() == "first"
    clock.now += 7200 - 61
    assert await tokens.get() == "first"
    assert "qqbot access token" not in {task.get_name() for task in asyncio.all_tasks()}
    assert len(platform.token_calls) == 1


async def test_renewed_in_its_last_minute_without_making_callers_wait(
    platform: Scripted, tokens: AccessTokens, clock: ManualClock
) -> None:
    first = await tokens.get()
    clock.now += 7200 - 49
    assert await tokens.get() == first
    await until(platform, 2)
    async with asyncio.timeout(5):
        while await tokens.get() == first:
            await asyncio.sleep(0.005)
    assert len(platform.token_calls) == 2


async def test_a_token_about_to_end_is_not_handed_out(
    platform: Scripted, tokens: AccessTokens, clock: ManualClock
) -> None:
    await tokens.get()
    clock.now += 7200 - 5
    assert await tokens.get() == "token-2-secret"


async def test_the_old_token_serves_while_the_endpoint_is_down(
    platform: Scripted, tokens: AccessTokens, clock: ManualClock
) -> None:
    first = await tokens.get()
    platform.token_answers.extend([cut] * 3)
    clock.now += 7200 - 5
    assert await tokens.get() == first
    assert await tokens.get() == first  # and nobody hammers the endpoint meanwhile
    assert len(platform.token_calls) == 2
    clock.now += 6
    with pytest.raises(ConnectionFailed):
        await tokens.get()


async def test_a_token_that_ended_is_not_handed_out_in_the_pause_after_a_failure(
    platform: Scripted, tokens: AccessTokens, clock: ManualClock
) -> None:
    first = await tokens.get()
    platform.token_answers.extend([cut] * 2)
    clock.now += 7200 - 2
    assert await tokens.get() == first
    clock.now += 3
    with pytest.raises(ConnectionFailed):
        await tokens.get()


async def test_the_same_token_near_its_end_is_asked_for_again_later(
    platform: Scripted, tokens: AccessTokens, clock: ManualClock
) -> None:
    platform.token_answers.extend([reply(token("same", 55)), reply(token("same", 30)), reply(token("new"))])
    assert await tokens.get() == "same"
    assert await tokens.get() == "same"
    assert len(platform.token_calls) == 1
    clock.now += 6
    assert await tokens.get() == "same"
    await until(platform, 2)


async def test_invalidate_compares(platform: Scripted, tokens: AccessTokens) -> None:
    first = await tokens.get()
    tokens.invalidate(first)
    second = await tokens.get()
    tokens.invalidate(first)
    assert await tokens.get() == second
    assert len(platform.token_calls) == 2


async def test_one_impatient_caller_does_not_end_the_flight(platform: Scripted, tokens: AccessTokens) -> None:
    gate = asyncio.Event()

    async def slow(request: object) -> web.StreamResponse:
        await gate.wait()
        return web.json_response(token("slow"))

    platform.token_answers.append(slow)
    patient, impatient = asyncio.create_task(tokens.get()), asyncio.create_task(tokens.get())
    await until(platform, 1)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    gate.set()
    assert await patient == "slow"
    assert len(platform.token_calls) == 1


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        (100016, AuthError, "AppSecret"),
        (100007, AuthError, "AppID"),
        (10004, AuthError, "AppID"),
        (100001, RateLimited, ""),
        (100002, ServerError, ""),
        (11298, IPNotAllowed, "IP"),
        (123456, ApiError, ""),
    ],
)
async def test_failures_come_with_status_200(
    platform: Scripted, tokens: AccessTokens, code: int, kind: type[ApiError], hint: str
) -> None:
    platform.token_answers.append(reply({"code": code, "message": f"refused {SECRET}"}))
    with pytest.raises(ApiError) as caught:
        await tokens.get()
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert caught.value.message == "refused ***"
    assert caught.value.hint is not None
    assert hint in caught.value.hint.en


@pytest.mark.parametrize("body", [b"<html>log in</html>", b"", b"{}", b"[]", b'{"access_token":""}'])
async def test_what_is_no_token_is_a_failure_of_the_server(
    platform: Scripted, tokens: AccessTokens, body: bytes
) -> None:
    platform.token_answers.append(raw(body))
    with pytest.raises(ServerError, match="no token"):
        await tokens.get()
    assert await tokens.get() == "token-2-secret"


async def test_closing_ends_the_flight_and_tells_who_waits(platform: Scripted, tokens: AccessTokens) -> None:
    platform.token_answers.append(hang)
    waiting = asyncio.create_task(tokens.get())
    await until(platform, 1)
    await tokens.close()
    with pytest.raises(ConnectionFailed, match="closed"):
        await waiting


class Shelf:
    """A `TokenStore` whose answers the test writes down: one for each look, the last one for ever."""

    def __init__(self, *found: SharedToken | None, ours: bool = True) -> None:
        self.found = list(found)
        self.ours = ours
        self.saved: list[SharedToken] = []

    async def load(self) -> SharedToken | None:
        return self.found.pop(0) if len(self.found) > 1 else self.found[0]

    async def save(self, token: SharedToken) -> None:
        self.saved.append(token)

    @asynccontextmanager
    async def refreshing(self) -> AsyncGenerator[bool]:
        yield self.ours


@asynccontextmanager
async def sharing(platform: Scripted, clock: ManualClock, shelf: Shelf) -> AsyncGenerator[AccessTokens]:
    async with aiohttp.ClientSession() as session:
        credentials = Credentials(APP_ID, SECRET)
        url = platform.endpoints.token_url
        source = AccessTokens(AiohttpTransport(session), credentials, url, clock, shelf)
        yield source
        await source.close()


async def test_what_is_fetched_is_shared(platform: Scripted, clock: ManualClock) -> None:
    shelf = Shelf(None)
    async with sharing(platform, clock, shelf) as tokens:
        assert await tokens.get() == "token-1-secret"
    assert shelf.saved == [SharedToken("token-1-secret", 7200)]


async def test_a_token_that_came_while_we_waited_for_our_turn_is_taken(platform: Scripted, clock: ManualClock) -> None:
    shelf = Shelf(None, SharedToken("from another", 7100))
    async with sharing(platform, clock, shelf) as tokens:
        assert await tokens.get() == "from another"
    assert platform.token_calls == [] and shelf.saved == []


async def test_a_token_that_another_process_fetches_is_waited_for(platform: Scripted, clock: ManualClock) -> None:
    shelf = Shelf(None, None, None, SharedToken("from another", 7200), ours=False)
    async with sharing(platform, clock, shelf) as tokens:
        assert await tokens.get() == "from another"
    assert platform.token_calls == []


async def test_a_shared_token_is_renewed_in_its_own_last_minute(platform: Scripted, clock: ManualClock) -> None:
    shelf = Shelf(SharedToken("old", 100), SharedToken("old", 50))
    async with sharing(platform, clock, shelf) as tokens:
        assert await tokens.get() == "old"
        clock.now += 39
        assert await tokens.get() == "old" and platform.token_calls == []
        clock.now += 100 - 39 - 5
        assert await tokens.get() == "token-1-secret"


async def test_a_shared_token_that_was_refused_is_not_taken_again(platform: Scripted, clock: ManualClock) -> None:
    shelf = Shelf(SharedToken("refused", 7000))
    async with sharing(platform, clock, shelf) as tokens:
        assert await tokens.get() == "refused"
        tokens.invalidate("refused")
        assert await tokens.get() == "token-1-secret"


@pytest.mark.parametrize("life", ["nan", "Infinity", "1e999", 1e300, "9" * 5000, None, [], -5])
async def test_the_life_of_a_token_is_within_reason(platform: Scripted, life: object) -> None:
    clock = ManualClock()
    platform.token_answers.append(reply({"access_token": "odd", "expires_in": life}))
    async with platform.api(clock) as api:
        assert await api.tokens.get() == "odd"
        clock.now += 2 * 86_400
        assert await api.tokens.get() != "odd"
