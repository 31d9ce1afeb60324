"""List of the endpoints of group administration, for `rest`."""

from ..call import Endpoint
from . import blacklists, join_requests, strategies
from . import mutes as group_mutes

GROUP_ENDPOINTS: tuple[Endpoint, ...] = (
    blacklists.batch_remove_group_members,
    blacklists.list_group_blacklist,
    blacklists.modify_group_blacklist,
    group_mutes.get_group_mute_setting,
    group_mutes.set_group_member_mute,
    join_requests.list_group_join_requests,
    join_requests.handle_group_join_request,
    strategies.list_join_approval_strategies,
    strategies.create_join_approval_strategy,
    strategies.modify_join_approval_strategy,
    strategies.delete_join_approval_strategy,
    strategies.execute_join_approval_strategy,
    strategies.modify_join_approval_whitelist,
)
