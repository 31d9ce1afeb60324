"""Only type-checked, never run: what declaring commands, permissions and middleware accepts, and what it refuses."""

from typing import Annotated, Any, Literal, assert_type

from msgspec import Meta

from qqbot import (
    AccessRefused,
    Bot,
    C2CMessageCreate,
    CallNext,
    Context,
    Cooldown,
    Event,
    GroupMessageEvent,
    Media,
    Mention,
    MessageEvent,
    MessageSendResult,
    Permission,
    Router,
    Scene,
    Target,
    UsageError,
    members,
    permission,
    says,
    scenes,
    users,
)
from qqbot.models.events import Replyable

bot = Bot()
router = Router(prefix="mod", when=says("x"), allow=members("admin") | users("U"), refuse="no")


@bot.command("排行", "top", summary="积分排行", cooldown=Cooldown(3, per=60, by="conversation", refuse="{seconds}"))
async def top(ctx: Context[MessageEvent], count: Annotated[int, Meta(ge=1, le=50)] = 10) -> None:
    assert_type(count, int)
    await ctx.reply(str(count))


@router.command("mute", allow=~scenes(Scene.C2C) & permission(lambda ctx: bool(ctx.text)), refuse="no")
async def mute(ctx: Context[GroupMessageEvent], member: Mention, unit: Literal["m", "h"] = "m", *rest: str) -> None:
    assert_type(member, Mention)
    assert_type(rest, tuple[str, ...])


async def top_again(ctx: Context[MessageEvent]) -> None:
    await top(ctx, 5)  # a command stays a function
    await top(ctx, "5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def is_vip(ctx: Context[Any]) -> bool:
    return bool(ctx.text)


assert_type(permission(is_vip), Permission)
assert_type(permission(is_vip) & members("owner"), Permission)


@bot.on(
    C2CMessageCreate, GroupMessageEvent, allow=is_vip, refuse="no", cooldown=Cooldown(per=1, by=lambda ctx: ctx.text)
)
async def vip(ctx: Context[C2CMessageCreate | GroupMessageEvent]) -> None: ...


@bot.command("sync")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportUntypedFunctionDecorator]
def not_async(ctx: Context[MessageEvent]) -> None: ...


@bot.middleware
async def timed(ctx: Context[Event], call_next: CallNext) -> None:
    await call_next()


@router.on_refused
async def refused(ctx: Context[Event], refusal: AccessRefused) -> None:
    assert_type(refusal.seconds, float)


@router.on_usage_error
async def usage(ctx: Context[MessageEvent], error: UsageError) -> None:
    await ctx.reply(error.problem.zh + error.usage)


Cooldown(1, per=60, by="group")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@bot.command("ask", asks=True)
async def asking(ctx: Context[MessageEvent]) -> None:
    assert_type(await ctx.ask("Tea or coffee?", ["茶", "咖啡"], timeout=60), str)
    assert_type(await ctx.ask("Your name?", admins=True, timeout=60), str)
    assert_type(await ctx.confirm("Sure?"), bool)
    await ctx.pages(("one", "two"), timeout=60)
    assert_type(await ctx.reply("short"), MessageSendResult)
    assert_type(await ctx.reply("long", split=True, fallback=("text", "active")), list[MessageSendResult])
    await ctx.reply(Media.image(b""), split=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await ctx.reply("x", fallback=("other",))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@bot.on_error
async def sorry(ctx: Context[Event], error: Exception) -> None:
    if r := ctx.replyable:
        assert_type(r, Context[Replyable])
        await r.reply("sorry")
    await ctx.bot.send(Target(Scene.GROUP, "G"), "x")


@bot.on(C2CMessageCreate, order="user")
async def thinking(ctx: Context[C2CMessageCreate]) -> None:
    async with ctx.interrupted_by(MessageEvent, when=says("停"), anyone=True) as stop:
        assert_type(stop.context, Context[MessageEvent] | None)
    if stop.context is not None:
        await stop.context.reply("已停止")
    ctx.bot.spawn(is_vip(ctx), drain=True)


Bot(order=None, auto_ack=True)
Bot(order="guild")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Router(order="user")
