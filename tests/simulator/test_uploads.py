"""Uploads in parts, streamed messages and audits, without the client."""

import base64
import hashlib
from typing import Any

import pytest

from qqbot.simulator.state import uploads
from qqbot.testing import Simulator
from tests.cli.control import Control
from tests.simulator.bare import BareBot, Socket

DATA = b"x" * 100


@pytest.fixture
async def socket(bot: BareBot) -> Socket:
    return await bot.connect_ready()


def announced(**changes: object) -> dict[str, object]:
    hashes = {
        "md5": hashlib.md5(DATA).hexdigest(),
        "sha1": hashlib.sha1(DATA).hexdigest(),
        "md5_10m": hashlib.md5(DATA).hexdigest(),
    }
    return {"file_type": 4, "file_size": str(len(DATA)), "file_name": "a.txt", **hashes, **changes}


async def prepared(bot: BareBot, **changes: object) -> tuple[str, dict[str, Any]]:
    base = f"/v2/groups/{bot.sim.group('test').id}"
    status, plan = await bot.call("POST", f"{base}/upload_prepare", announced(**changes))
    assert status == 200
    return base, plan


async def put(bot: BareBot, url: str, data: object = DATA, **headers: str) -> int:
    async with bot.http.put(url, data=data, headers=headers) as response:
        return response.status


async def test_a_file_info_is_standard_base64_with_padding(sim: Simulator, bot: BareBot) -> None:
    path = f"/v2/users/{sim.user('Alice').openid}/files"
    body = {"file_type": 1, "url": "https://a.example/cat.png", "srv_send_msg": False}
    infos = [(await bot.call("POST", path, body))[1]["file_info"] for _ in range(20)]
    assert all(info.endswith("=") and base64.b64decode(info, validate=True) for info in infos)
    assert any(set(info) & {"+", "/"} for info in infos)


async def test_an_upload_in_parts(sim: Simulator, bot: BareBot) -> None:
    sim.uploads.block_size = 60
    base, plan = await prepared(bot)
    assert [part["index"] for part in plan["parts"]] == [2, 1]
    assert (plan["block_size"], plan["upload_config"]["concurrency"]) == ("60", 3)
    for part, data in zip(reversed(plan["parts"]), (DATA[:60], DATA[60:]), strict=True):
        finish = {
            "upload_id": plan["upload_id"],
            "part_index": part["index"],
            "block_size": len(data),
            "md5": hashlib.md5(data).hexdigest(),
        }
        path = f"{base}/upload_part_finish"
        assert (await bot.refused("POST", path, finish))[1] == 40093001
        end = {"file_type": 4, "srv_send_msg": False, "upload_id": plan["upload_id"]}
        assert (await bot.refused("POST", f"{base}/files", end))[1] == 850026
        assert await put(bot, part["presigned_url"], data) == 200
        assert (await bot.refused("POST", path, {**finish, "md5": "0"}))[1] == 850026
        assert await bot.call("POST", path, finish) == (200, {})
    status, uploaded = await bot.call("POST", f"{base}/files", end)
    assert status == 200
    assert (await bot.call("POST", f"{base}/messages", {"msg_type": 7, "media": uploaded}))[0] == 200
    media = sim.state()["messages"][-1]["media"]
    assert media["name"] == "a.txt"
    async with bot.http.get(media["url"]) as stored:
        assert await stored.read() == DATA


async def uploaded(bot: BareBot, base: str, plan: dict[str, Any], data: bytes = DATA) -> Any:
    """Upload the only part, end the upload, send it; return the media that the chat shows."""
    [part] = plan["parts"]
    assert await put(bot, part["presigned_url"], data) == 200
    return await ended(bot, base, plan, data)


async def ended(bot: BareBot, base: str, plan: dict[str, Any], data: bytes = DATA, **changes: object) -> Any:
    upload = {"upload_id": plan["upload_id"]}
    part = {"part_index": 1, "block_size": len(data), "md5": hashlib.md5(data).hexdigest()}
    assert (await bot.call("POST", f"{base}/upload_part_finish", {**upload, **part}))[0] == 200
    end = {"file_type": 4, "srv_send_msg": False, **upload, **changes}
    status, media = await bot.call("POST", f"{base}/files", end)
    assert status == 200
    assert (await bot.call("POST", f"{base}/messages", {"msg_type": 7, "media": media}))[0] == 200
    return bot.sim.state()["messages"][-1]["media"]


async def test_an_upload_ended_by_its_id_alone_has_the_announced_type(bot: BareBot) -> None:
    base, plan = await prepared(bot, file_type=1, file_name="a.png")
    [part] = plan["parts"]
    assert await put(bot, part["presigned_url"], DATA) == 200
    assert (await ended(bot, base, plan, file_type=None, srv_send_msg=None))["kind"] == "image"


async def test_the_other_end_of_an_upload_has_the_announced_type_too(sim: Simulator, bot: BareBot) -> None:
    base = f"/v2/users/{sim.user('Alice').openid}"
    _, plan = await bot.call("POST", f"{base}/upload_prepare", announced(file_type=1))
    [part] = plan["parts"]
    assert await put(bot, part["presigned_url"], DATA) == 200
    upload = {"upload_id": plan["upload_id"]}
    finish = {"part_index": 1, "block_size": len(DATA), "md5": hashlib.md5(DATA).hexdigest(), **upload}
    assert (await bot.call("POST", f"{base}/upload_part_finish", finish))[0] == 200
    _, media = await bot.call("POST", f"{base}/complete_upload", upload)
    assert (await bot.call("POST", f"{base}/messages", {"msg_type": 7, "media": media}))[0] == 200
    assert sim.state()["messages"][-1]["media"]["kind"] == "image"


async def test_files_too_large_to_show_are_not_stored(bot: BareBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "FILE_LIMIT", len(DATA))
    assert (await uploaded(bot, *await prepared(bot)))["url"]
    data = DATA + b"x"
    media = await uploaded(bot, *await prepared(bot, file_size=str(len(data))), data)
    assert (media["name"], media["url"]) == ("a.txt", None)


async def test_bytes_of_the_oldest_unfinished_uploads_are_dropped(
    bot: BareBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They can still be finished and sent; the page cannot show them."""
    monkeypatch.setattr(uploads, "UNFINISHED", 2 * len(DATA))
    plans = [await prepared(bot) for _ in range(3)]
    for _, plan in plans:
        assert await put(bot, plan["parts"][0]["presigned_url"]) == 200
    urls = [(await ended(bot, *plan))["url"] for plan in plans]
    assert [url is not None for url in urls] == [False, True, True]


async def test_a_presigned_url_needs_a_length_and_no_token(bot: BareBot) -> None:
    _, plan = await prepared(bot)
    url = plan["parts"][0]["presigned_url"]

    async def unannounced() -> Any:
        yield DATA

    assert await put(bot, url, Authorization=f"QQBot {bot.token}") == 403
    assert await put(bot, url, unannounced()) == 411
    assert await put(bot, url, DATA + b"x") == 400
    assert await put(bot, url.partition("?")[0]) == 403
    assert await put(bot, url) == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"file_size": "0"}, 850026), ({"file_size": str(1 << 31)}, 850026), ({"md5_10m": "x"}, 850026)],
)
async def test_refused_uploads(bot: BareBot, changes: dict[str, object], code: int) -> None:
    path = f"/v2/groups/{bot.sim.group('test').id}/upload_prepare"
    assert (await bot.refused("POST", path, announced(**changes)))[1] == code


async def test_daily_volume(sim: Simulator, bot: BareBot) -> None:
    sim.uploads.volume.most = 150
    await prepared(bot)
    path = f"/v2/groups/{sim.group('test').id}/upload_prepare"
    assert (await bot.refused("POST", path, announced()))[1] == 40093002
    await sim.clock.advance(days=1)
    bot.token = (await bot.fetch_token())["access_token"]
    await prepared(bot)


async def test_streams(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.push_message("c2c", text="hi")
    message_id = (await socket.next())["d"]["id"]
    path = f"/v2/users/{sim.user('Alice').openid}/stream_messages"
    first = {"index": 0, "content_raw": "one", "msg_id": message_id, "msg_seq": 1, "input_state": 1}
    assert (await bot.refused("POST", path, {**first, "msg_id": "unknown"}))[1] == 40034024
    status, answer = await bot.call("POST", path, first)
    assert (status, answer["remain_msg_len"]) == (200, 4997)
    more = {**first, "index": 1, "stream_msg_id": answer["id"]}
    assert (await bot.refused("POST", path, {**more, "input_mode": "replace", "content_raw": "two"}))[1] == 40007
    assert (await bot.refused("POST", path, {**more, "index": 0}))[1] == 12002
    assert (await bot.refused("POST", path, {**more, "msg_seq": 2}))[1] == 12002
    assert (await bot.refused("POST", path, {**more, "content_raw": "x" * 5000}))[1] == 40054007
    assert (await bot.call("POST", path, {**more, "content_raw": " two", "input_state": 10}))[0] == 200
    assert sim.state()["messages"][-1]["text"] == "one two"
    assert (await bot.refused("POST", path, {**more, "index": 2}))[1] == 12002
    assert (await bot.refused("POST", path, first))[1] == 40054005


async def test_an_audit(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready(1 << 27)
    sim.audits.expect(passes=False, overtakes=True)
    path = f"/channels/{sim.channel('general').id}/messages"
    status, answer = await bot.call("POST", path, {"content": "x"})
    assert (status, answer["code"]) == (202, 304023)
    result = await socket.next_of("MESSAGE_AUDIT_REJECT")
    assert result["d"]["audit_id"] == answer["data"]["message_audit"]["audit_id"]
    assert [message["notice"] for message in sim.state()["messages"]] == ["audit_rejected"]


PICTURE = {
    "file_name": "cat.png",
    "content_type": "image/png",
    "file_size": len(DATA),
    "md5": hashlib.md5(DATA).hexdigest(),
    "sha1": hashlib.sha1(DATA).hexdigest(),
}


async def announce(bot: BareBot, **changes: object) -> dict[str, Any]:
    status, answer = await bot.call("POST", "/v2/media-images/prepare", {**PICTURE, **changes})
    assert status == 200, answer
    return answer


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", "image/png; charset=utf-8", "IMAGE/PNG"])
async def test_an_image_goes_up_with_the_declared_content_type_only(bot: BareBot, kind: str) -> None:
    announced = await announce(bot)
    url = announced["presigned_url"]
    assert await put(bot, url, DATA, **{"Content-Type": kind}) == 403
    complete = {"upload_id": announced["upload_id"], "md5": PICTURE["md5"]}
    assert (await bot.refused("POST", "/v2/media-images/complete", complete))[1] == 40093001
    assert await put(bot, url, DATA, **{"Content-Type": "image/png"}) == 200
    assert (await bot.call("POST", "/v2/media-images/complete", complete))[0] == 200


async def test_an_image_is_too_large_or_another_one(bot: BareBot) -> None:
    assert (await bot.refused("POST", "/v2/media-images/prepare", {**PICTURE, "file_size": (10 << 20) + 1}))[
        1
    ] == 40035002
    announced = await announce(bot)
    await put(bot, announced["presigned_url"], DATA, **{"Content-Type": "image/png"})
    complete = {"upload_id": announced["upload_id"], "md5": "0" * 32}
    assert (await bot.refused("POST", "/v2/media-images/complete", complete))[1] == 40035003


async def test_a_deleted_image_stays_in_the_messages_that_were_sent(sim: Simulator, bot: BareBot) -> None:
    announced = await announce(bot)
    await put(bot, announced["presigned_url"], DATA, **{"Content-Type": "image/png"})
    complete = {"upload_id": announced["upload_id"], "md5": PICTURE["md5"]}
    _, image = await bot.call("POST", "/v2/media-images/complete", complete)
    body = {"msg_type": 2, "markdown": {"content": f"![cat]({image['url']})"}}
    await bot.call("POST", f"/v2/groups/{sim.group('test').id}/messages", body)
    assert (await bot.call("DELETE", f"/v2/media-images/{image['image_id']}/delete"))[0] == 200
    assert (await bot.call("GET", "/v2/media-images"))[1]["images"] == []
    assert sim.group("test").messages[-1].markdown == f"![cat]({image['url']})"


async def test_images_of_the_library_are_kept(sim: Simulator, bot: BareBot) -> None:
    announced = await announce(bot)
    await put(bot, announced["presigned_url"], DATA, **{"Content-Type": "image/png"})
    complete = {"upload_id": announced["upload_id"], "md5": PICTURE["md5"]}
    _, image = await bot.call("POST", "/v2/media-images/complete", complete)
    listed = (await bot.call("GET", "/v2/media-images"))[1]["images"][0]
    assert listed["preview_url"] == image["preview_url"]
    await bot.send_to_group(sim.group("test").id, msg_type=2, markdown={"content": f"![cat]({image['url']})"})
    await bot.call("DELETE", f"/v2/media-images/{image['image_id']}/delete")
    async with bot.http.get(image["preview_url"]) as answer:
        assert (await answer.read(), answer.content_type) == (DATA, "image/png"), "sent messages keep the image"
    async with Control(sim.api_base, sim.control_token) as control:
        saved = await control.saved_chat()
    async with Simulator() as other:
        other.open_chat(saved)
        async with bot.http.get(image["preview_url"].replace(sim.api_base, other.api_base)) as answer:
            assert await answer.read() == DATA
