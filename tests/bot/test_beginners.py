"""What is wrong with a bot is reported at its start, in both languages."""

import logging

import pytest

from qqbot import Api, Bot, C2CMessageCreate, ConfigError, Context, Credentials
from qqbot.testing import Simulator


@pytest.mark.parametrize(
    ("make", "meant"),
    [
        (lambda: Bot(shard=20), "shards"),  # type: ignore[call-arg]
        (lambda: Bot(max_inflght=2), "max_inflight"),  # type: ignore[call-arg]
        (lambda: Bot(time_out=2), "timeout"),  # type: ignore[call-arg]
        (lambda: Api(Credentials("1", "s"), endpoint=None), "endpoints"),  # type: ignore[call-arg]
        (lambda: Api(Credentials("1", "s"), nonsense=1), ""),  # type: ignore[call-arg]
    ],
)
def test_an_unknown_option_is_refused(make: object, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()  # type: ignore[operator]
    assert "没有选项" in str(caught.value)
    assert f"did you mean {meant}?" in str(caught.value) if meant else "did you mean" not in str(caught.value)


async def test_a_bot_without_handlers_is_reported(qq: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    async with qq.run(Bot()):
        pass
    assert "没有注册任何处理函数" in caplog.text


async def test_an_unknown_wire_name_is_reported(qq: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    bot = Bot()
    bot.on("C2C_MESAGE_CREATE")(_take)
    bot.on("GROUP_MEMBER_QUIT")(_take)
    async with qq.run(bot):
        pass
    (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "'C2C_MESAGE_CREATE'" in record.getMessage()
    assert "did you mean C2C_MESSAGE_CREATE?" in record.getMessage()


async def _take(ctx: Context[C2CMessageCreate]) -> None: ...
