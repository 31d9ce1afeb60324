"""Kinds of bots, and the rights of each.

Responsible for data only. The rights of an uncertified bot in guilds are inferred from the codes that refuse its calls.

Source: server-inter/message/overview.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Profile = Literal["public", "private", "uncertified"]
PROFILES: tuple[Profile, ...] = get_args(Profile)

Limits = Literal["none", "slow", "all"]
"""Which limits on calls and active messages are enforced: none, those per minute and day, or those per second too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Rights of one kind of bot.

    `private`: intents and interfaces of private bots. `invited`: interfaces that the platform grants on request, and
    Markdown with buttons in guilds. `certified`: the larger quotas of active messages.
    """

    private: bool = False
    invited: bool = True
    certified: bool = True


RIGHTS: Mapping[Profile, Rights] = {
    "public": Rights(),
    "private": Rights(private=True),
    "uncertified": Rights(invited=False, certified=False),
}
