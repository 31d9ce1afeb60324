"""Strategies that let users on a whitelist join QQ groups without approval."""

from typing import Literal

from ..errors import ConfigError
from .base import UNSET, Aware, Body, Id, Model, UnsetType, require_some
from .batches import check_ids

MOST_GROUPS = 100
MOST_REMARK = 255  # characters
MOST_WHITELISTED = 10_000  # of one call

Switch = Literal["on", "off"]
"""Whether a strategy is enabled, on the wire."""


class JoinApprovalStrategy(Model, frozen=True, kw_only=True):
    """A strategy, and its groups, by openid or by (masked) number. `whitelist_user_count` is an estimate.

    `is_enable` is "on" or "off"; `enabled` is the same as a bool.

    Source: autogen/api/v2_groups_join_approval_strategy.get
    """

    strategy_id: Id
    group_openids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    whitelist_user_count: int = 0
    is_enable: str = ""
    expire_at: Aware | None = None
    created_at: Aware | None = None
    updated_at: Aware | None = None
    remark: str = ""

    @property
    def enabled(self) -> bool:
        """True if the strategy is enabled."""
        return self.is_enable == "on"


class JoinApprovalStrategyPage(Model, frozen=True, kw_only=True):
    """The bot's strategies; `next_cursor` asks for the next page, '' ends the list.

    Source: autogen/api/v2_groups_join_approval_strategy.get
    """

    strategies: tuple[JoinApprovalStrategy, ...]
    next_cursor: str = ""


class StrategyState(Model, frozen=True, kw_only=True):
    """A strategy after a change.  Source: autogen/api/v2_groups_join_approval_strategy_strategy_id.patch"""

    is_enable: str = ""
    expire_at: Aware | None = None

    @property
    def enabled(self) -> bool:
        """True if the strategy is enabled."""
        return self.is_enable == "on"


class WhitelistState(Model, frozen=True, kw_only=True):
    """A whitelist after a change; the count is an estimate.

    Source: autogen/api/v2_groups_join_approval_strategy_strategy_id_whitelist_users.post
    """

    strategy_id: str = ""
    whitelist_user_count: int = 0
    updated_at: Aware | None = None


class StrategyBody(Body, frozen=True, kw_only=True):
    """Creates a strategy for 1 to 100 groups, by openid or by QQ group number. `expire_at`: RFC 3339, else one year.

    Raises: ConfigError if not exactly one kind of group id is given, in that number; for a remark over 255 characters.
    Source: autogen/api/v2_groups_join_approval_strategy.post
    """

    group_openids: tuple[str, ...] | UnsetType = UNSET
    group_ids: tuple[int, ...] | UnsetType = UNSET
    is_enable: Switch | UnsetType = UNSET
    expire_at: str | UnsetType = UNSET
    remark: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        _check_groups(self.group_openids, self.group_ids)
        _check_remark(self.remark)


class StrategyGroupsBody(Body, frozen=True, kw_only=True):
    """Adds groups to a strategy or removes them, by the kind of id that it was created with.

    Raises: ConfigError if not exactly one kind of group id is given, in that number.
    Source: autogen/api/v2_groups_join_approval_strategy_strategy_id.patch
    """

    op: Literal["add", "del"]
    group_openids: tuple[str, ...] | UnsetType = UNSET
    group_ids: tuple[int, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        _check_groups(self.group_openids, self.group_ids)


class StrategyChangeBody(Body, frozen=True, kw_only=True):
    """Changes the given fields of a strategy and leaves the others unchanged.

    Raises: ConfigError if no field is given, or for a remark over 255 characters.
    Source: autogen/api/v2_groups_join_approval_strategy_strategy_id.patch
    """

    is_enable: Switch | UnsetType = UNSET
    expire_at: str | UnsetType = UNSET
    group_action: StrategyGroupsBody | UnsetType = UNSET
    remark: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        require_some(self)
        _check_remark(self.remark)


class WhitelistBody(Body, frozen=True, kw_only=True):
    """Adds 1 to 10000 QQ numbers to a whitelist (100000 in all), or removes them.

    Raises: ConfigError for more, none, or an invalid number.
    Source: autogen/api/v2_groups_join_approval_strategy_strategy_id_whitelist_users.post
    """

    op: Literal["add", "del"]
    whitelist_users: tuple[str, ...]

    def __post_init__(self) -> None:
        check_ids("whitelist_users", self.whitelist_users, MOST_WHITELISTED)
        for user in self.whitelist_users:
            if not (user.isascii() and user.isdigit()):
                raise ConfigError(f"{user!r} is not a QQ number: a whitelist has decimal numbers, not openids")


def switch(enabled: bool | UnsetType) -> Switch | UnsetType:
    """Return `enabled` in its wire form."""
    if enabled is UNSET:
        return UNSET
    return "on" if enabled else "off"


def _check_groups(openids: tuple[str, ...] | UnsetType, numbers: tuple[int, ...] | UnsetType) -> None:
    if (openids is UNSET) == (numbers is UNSET):
        raise ConfigError("groups are named by group_openids or by group_ids (QQ group numbers): give exactly one")
    if openids is not UNSET:
        check_ids("group_openids", openids, MOST_GROUPS)
    if numbers is not UNSET:
        check_ids("group_ids", [str(number) for number in numbers], MOST_GROUPS)
        if min(numbers) <= 0:
            raise ConfigError(f"group_ids holds {min(numbers)}: QQ group numbers are positive")


def _check_remark(remark: str | UnsetType) -> None:
    if remark is not UNSET and len(remark) > MOST_REMARK:
        raise ConfigError(f"the remark has {len(remark)} characters, {MOST_REMARK} are allowed")
