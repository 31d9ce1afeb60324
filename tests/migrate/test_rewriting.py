"""What `qqbot migrate` writes for single statements: forms that no bot of `bots/` has."""

import re
import textwrap

import pytest

from qqbot.cli.migrate.assembly import Migration, migrate
from qqbot.cli.migrate.fields import answer, parameters
from qqbot.cli.migrate.tables import CALLS, EVENTS, SENDS
from qqbot.models import events
from tests.markdown import ROOT

HEAD = """import os
import botpy
from botpy import BotAPI, logging
from botpy.message import C2CMessage, GroupMessage, Message
from botpy.types.message import Ark, Embed, MarkdownPayload, Reference
"""


def migrated(body: str, *, event: str = "on_at_message_create", head: str = "", tail: str = "") -> Migration:
    method = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    source = f"{HEAD}{head}\n\nclass MyClient(botpy.Client):\n    async def {event}(self, message):\n{method}\n{tail}"
    done = migrate(source)
    compile(done.code, "bot.py", "exec")
    return done


def written(body: str, **options: str) -> list[str]:
    """Return the statements of the handler, without indentation and comments."""
    code = migrated(body, **options).code.split("async def on_", 1)[1].split("\n", 1)[1]
    return [line.strip() for line in code.splitlines() if line.strip() and not line.strip().startswith("#")]


def remarks(body: str, **options: str) -> list[str]:
    return [text for _, text in migrated(body, **options).remarks]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('await message.reply(content="a")', 'await ctx.reply("a")'),
        ('await message.reply("a")', 'await ctx.reply("a")'),
        ('await self.api.post_message(message.channel_id, "a", msg_id=message.id)', 'await ctx.reply("a")'),
        (
            'await self.api.post_message(message.channel_id, "a", event_id=message.event_id)',
            'await ctx.reply("a")',
        ),
        (
            'await self.api.post_message("1", "a", msg_id=message.id)',
            'await ctx.api.channels.send_message("1", "a", reply_to=ReplyTo(msg_id=ctx.event.id))',
        ),
        (
            "await self.api.post_message(channel_id='1', content='a', msg_id=None)",
            "await ctx.api.channels.send_message('1', 'a')",
        ),
        ('await message.reply(image="https://a/b")', 'await ctx.reply(Media.image("https://a/b"))'),
        ('await message.reply(file_image="a.png")', 'await ctx.reply(Media.image(Path("a.png")))'),
        ("await message.reply(file_image=open('a', 'rb'))", "await ctx.reply(Media.image(Path('a')))"),
        (
            'await message.reply(embed={"title": "a", "fields": [{"name": "b", "value": "c"}]})',
            'await ctx.reply(Embed("a", fields=[("b", "c")]))',
        ),
        (
            'await message.reply(content="a", message_reference=Reference(message_id=message.id))',
            'await ctx.reply(Text("a", quote=ctx.event.id))',
        ),
        (
            'await message.reply(markdown={"content": "a"}, keyboard=dict(id="62"))',
            'await ctx.reply(Markdown("a", keyboard=Keyboard.template("62")))',
        ),
        (
            "await self.api.mute_all(message.guild_id, mute_seconds=n)",
            "await ctx.api.mute.guild(ctx.event.guild_id, seconds=int(n))",
        ),
        ("await self.api.me_guilds(guild_id='1', desc=True)", "await ctx.api.users.guilds(before='1')"),
        ("x = message.member.roles", "x = (ctx.event.member and ctx.event.member.roles)"),
        ("self.loop.create_task(f())", "asyncio.create_task(f())"),
    ],
)
def test_a_statement(before: str, after: str) -> None:
    assert written(before) == [after]


def test_variables_are_followed_to_what_they_hold() -> None:
    body = """
    markdown = MarkdownPayload(content="# a")
    await message.reply(markdown=markdown)
    """
    assert written(body) == ['await ctx.reply(Markdown("# a"))']


def test_a_constant_of_the_file_is_followed_too() -> None:
    done = migrated(
        "await message.reply(ark=CARD)", head='CARD = {"template_id": 37, "kv": [{"key": "a", "value": "b"}]}'
    )
    assert 'await ctx.reply(Ark(37, {"a": "b"}))' in done.code
    assert "CARD" not in done.code


def test_a_dict_that_changes_is_passed_on_and_marked() -> None:
    body = """
    card = {"template_id": 37, "kv": []}
    card["kv"] = make()
    await message.reply(ark=card)
    """
    assert written(body)[-1] == 'await ctx.reply(Text("-", extra={"ark": card, "content": ""}))'
    assert remarks(body) == ["build this ark with Ark(...). 请改用 Ark(...) 构造"]


def test_answers_are_read_by_attribute_through_variables_and_loops() -> None:
    body = """
    roles = await self.api.get_guild_roles(message.guild_id)
    for role in roles["roles"]:
        print(role["name"], role.get("color"))
    """
    assert written(body)[1:] == ["for role in roles.roles:", "print(role.name, role.color)"]


def test_answers_are_known_in_lists_that_gather_them() -> None:
    body = """
    users = []
    cookie = ""
    while True:
        page = await self.api.get_reaction_users("1", "2", 1, "4", cookie=cookie)
        users.extend(page["users"])
        if page["is_end"]:
            break
        cookie = page["cookie"]
    for user in users:
        print(user["username"])
    """
    assert written(body)[-1] == "print(user.username)"
    assert "users.extend(page.users)" in written(body)


def test_two_assignments_of_the_same_kind_are_known() -> None:
    body = """
    guild = None
    if message.content:
        guild = await self.api.get_guild("1")
    else:
        guild = await self.api.get_guild("2")
    print(guild["name"])
    for role in (await self.api.get_guild_roles("1"))["roles"]:
        print(role["name"])
    for role in (await self.api.get_guild_roles("2"))["roles"]:
        print(role["id"])
    """
    assert [line for line in written(body) if "print" in line] == [
        "print(guild.name)",
        "print(role.name)",
        "print(role.id)",
    ]


def test_methods_of_other_classes_get_the_context_too() -> None:
    head = """

class Plugin:
    def __init__(self, client):
        self.client = client

    async def answer(self, message):
        await message.reply(content=message.content)
        guild = await self.client.api.get_guild(message.guild_id)
        return guild["name"]
"""
    code = migrated("await Plugin(self).answer(message)", head=head).code
    assert (
        "    async def answer(self, ctx: Context[AtMessageCreate]):\n        await ctx.reply(ctx.event.content)" in code
    )
    assert "guild = await self.client.api.guilds.get(ctx.event.guild_id)\n        return guild.name" in code
    assert "await Plugin(bot).answer(ctx)" in code
    assert "self.client = client" in code


def test_parameters_keep_their_defaults_and_their_kind() -> None:
    tail = """

async def one(text: str = "", message: Message = None, *, api: BotAPI = None):
    await message.reply(content=text)


async def two(*, message: Message):
    await message.reply(content="a")
"""
    code = migrated("await one(message=message)\nawait two(message=message)", tail=tail).code
    assert 'async def one(text: str = "", ctx: Context[AtMessageCreate] = None, *, api: Api = None):' in code
    assert "async def two(*, ctx: Context[AtMessageCreate]):" in code
    assert "await one(ctx=ctx)" in code


def test_a_property_becomes_a_function() -> None:
    tail = """
    @property
    def busy(self):
        return bool(self.jobs)
"""
    code = migrated("print(self.busy)", tail=tail).code
    assert "print(busy())" in code
    assert "def busy():\n    return bool(state.jobs)" in code
    assert "@property" not in code


def test_hidden_credentials_come_from_the_environment() -> None:
    done = migrated("pass", tail="\n\nMyClient(intents=botpy.Intents.all()).run(**os.environ)\n")
    assert "bot = Bot()" in done.code
    assert "QQBOT_APP_ID" in done.remarks[0][1]


def test_other_bases_of_the_client_are_marked() -> None:
    done = migrate(f"{HEAD}\n\nclass MyClient(Greeter, botpy.Client):\n    pass\n")
    assert "methods of Greeter" in done.remarks[0][1]


def test_helpers_that_get_the_message_get_the_context() -> None:
    tail = """
    async def help(self, message, text):
        await message.reply(content=text + message.content)


async def other(api: BotAPI, message: Message):
    await api.post_message(message.channel_id, "x", msg_id=message.id)
"""
    code = migrated('await self.help(message, text="a")\nawait other(self.api, message=message)', tail=tail).code
    assert 'await help(ctx, text="a")' in code
    assert "await other(ctx.api, ctx=ctx)" in code
    assert "async def help(ctx: Context[AtMessageCreate], text):" in code
    assert "async def other(api: Api, ctx: Context[AtMessageCreate]):" in code


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("await message.reply(**data)", "* and **"),
        ("await self.api.post_message(*data)", "* and **"),
        ("await self.api.unheard_of()", "BotAPI.unheard_of"),
        ("print(message.no_such_field)", "no_such_field"),
        ("await self.http.close()", "client.http"),
        ("print(self)", "self was the client"),
        ("logging.configure_logging()", "logging.basicConfig"),
        ("print(botpy.flags.Intents.all())", "intents follow from the handlers"),
    ],
)
def test_what_has_no_counterpart_is_marked_above_its_line(body: str, named: str) -> None:
    done = migrated(body)
    (number, text), *_ = done.remarks
    assert named in text
    assert done.code.splitlines()[number - 1].strip() == f"# qqbot migrate: {text}"


START = """

def main():
    appid = os.environ["A"]
    secret = os.environ["B"]
    client = MyClient(intents=botpy.Intents.default(), timeout=9, is_sandbox=True)
    client.run(appid=appid, secret=secret)
"""


def test_credentials_of_a_function_move_above_the_bot() -> None:
    code = migrated("pass", tail=START).code
    above, _, below = code.partition(
        "bot = Bot(Credentials(appid, secret), timeout=9, endpoints=Endpoints.legacy_sandbox())"
    )
    assert re.search(r'appid = os\.environ\["A"\]\s+secret = os\.environ\["B"\]\s*$', above)
    assert re.search(r"def main\(\):\s+bot\.run\(\)", below)


def test_credentials_that_come_from_elsewhere_come_from_the_environment() -> None:
    tail = START.replace("    appid = os", "    for appid in os").replace('["A"]', '["A"]:\n        pass')
    done = migrated("pass", tail=tail)
    assert "bot = Bot(timeout=9" in done.code
    assert "QQBOT_APP_ID" in done.remarks[0][1]


def test_an_old_token_is_no_secret() -> None:
    done = migrated("pass", tail="\n\nMyClient(intents=botpy.Intents.all()).run(appid='1', token='2')\n")
    assert "bot = Bot()" in done.code
    assert 'if __name__ == "__main__":\n    bot.run()' in done.code


def test_a_client_that_is_started_in_a_running_loop() -> None:
    tail = """

async def main():
    async with MyClient(intents=botpy.Intents.all()) as client:
        await client.start(appid="102000001", secret="s")
"""
    code = migrated("pass", tail=tail).code
    assert "async def main():\n    await bot.start()\n    await bot.wait()" in code


def test_state_of_the_client_is_a_namespace() -> None:
    tail = """
    limit: int = 3

    def __init__(self, intents, name="x"):
        super().__init__(intents=intents)
        self.name = name
        self.counts = {}
"""
    code = migrated("self.counts[message.id] = self.limit", tail=tail).code
    assert "state = SimpleNamespace()\nstate.limit = 3\n" in code
    assert 'name = "x"\nstate.name = name\nstate.counts = {}' in code
    assert "state.counts[ctx.event.id] = state.limit" in code


def test_each_event_and_call_of_the_tables_exists() -> None:
    assert all(hasattr(events, name) for name in EVENTS.values())
    for row in CALLS.values():
        answer(row.target)
        parameters(row.target)
    for sent in SENDS.values():
        assert answer(sent.target) is not None


def test_the_page_names_each_event_and_call() -> None:
    page = (ROOT / "docs" / "from-botpy.md").read_text("utf-8")
    assert [name for name in (*EVENTS, *CALLS, *SENDS) if f"`{name}`" not in page] == []
