"""The kinds of bots that the platform knows, and what each may do.

Owns data only. Source: server-inter/message/overview; what an uncertified bot may do in guilds is inferred from
the codes that refuse it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Profile = Literal["public", "private", "uncertified"]
PROFILES: tuple[Profile, ...] = get_args(Profile)

Limits = Literal["none", "slow", "all"]
"""Which limits on calls and active messages hold: none, those of a minute and a day, or those of a second as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What one kind of bot may do.

    `private`: the intents and interfaces of private bots. `invited`: interfaces that the platform grants on
    request, and Markdown with buttons in guilds. `certified`: the larger active quotas.
    """

    private: bool = False
    invited: bool = True
    certified: bool = True


RIGHTS: Mapping[Profile, Rights] = {
    "public": Rights(),
    "private": Rights(private=True),
    "uncertified": Rights(invited=False, certified=False),
}
