"""A vote in a group: one asks, everybody clicks, the bot counts.

Try it: `qqbot simulate examples/vote.py`, then write "@bot /vote Lunch? pizza noodles rice".
"""

from dataclasses import dataclass, field

from qqbot import (
    Bot,
    Button,
    ButtonPermission,
    Context,
    GroupMessageEvent,
    InteractionCreate,
    Keyboard,
    Markdown,
    button,
    command,
    parse_command,
)

REPEATED = 3  # what the platform calls an acknowledgement of a click that changes nothing

bot = Bot()


@dataclass
class Poll:
    """One vote: who chose what, by member_openid."""

    question: str
    choices: list[str]
    votes: dict[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        chosen = list(self.votes.values())
        return ", ".join(f"{choice} {chosen.count(choice)}" for choice in self.choices)


polls: dict[str, Poll] = {}  # the one of each group, by group_openid; a real bot keeps them in its database


@bot.on(GroupMessageEvent, when=command("vote"))
async def ask(ctx: Context[GroupMessageEvent]) -> None:
    """Ask a question; a new one takes the place of the last."""
    _, text = parse_command(ctx.text)
    question, mark, rest = text.partition("?")
    choices = list(dict.fromkeys(rest.split()))
    if not mark or not 2 <= len(choices) <= 10:
        await ctx.reply("Write it like this: /vote Lunch? pizza noodles rice")
        return
    polls[ctx.event.group_openid] = Poll(question, choices)
    buttons = [Button.callback(choice, f"vote:{choice}") for choice in choices]
    rows = [buttons[start : start + 5] for start in range(0, len(buttons), 5)]
    end = Button.callback("End 结束", "end", permission=ButtonPermission.admins())
    await ctx.reply(Markdown(f"**{question}?**", keyboard=Keyboard([*rows, [end]])))


@bot.on(InteractionCreate, when=button("vote:"))
async def count(ctx: Context[InteractionCreate]) -> None:
    """Count a click; a second one changes the first."""
    poll = polls.get(ctx.event.group_openid)
    choice = ctx.event.button_data.removeprefix("vote:")
    if poll is None or choice not in poll.choices:
        await ctx.ack(1)  # of a vote that is over
        return
    voter = ctx.event.group_member_openid
    if poll.votes.get(voter) == choice:
        await ctx.ack(REPEATED)
        return
    poll.votes[voter] = choice
    await ctx.ack()
    await ctx.reply(f"{poll.question}? {poll}")


@bot.on(InteractionCreate, when=button("end"))
async def end(ctx: Context[InteractionCreate]) -> None:
    """Say what came out; only administrators can click this button."""
    await ctx.ack()
    poll = polls.pop(ctx.event.group_openid, None)
    if poll is not None:
        await ctx.reply(f"{poll.question}? The vote is over: {poll}")


if __name__ == "__main__":
    bot.run()
