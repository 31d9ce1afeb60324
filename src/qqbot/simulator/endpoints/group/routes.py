"""The endpoints of group administration and of what the bot keeps for itself, gathered for `rest`."""

from .. import alternatives
from ..bot import media_images, menus, panels, webhook_sessions
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

BOT_ENDPOINTS: tuple[Endpoint, ...] = (
    menus.get_menu,
    menus.update_menu,
    panels.list_panels,
    panels.create_panel,
    panels.get_panel,
    panels.update_panel,
    panels.delete_panel,
    panels.update_panel_target,
    media_images.prepare_media_image,
    media_images.complete_media_image,
    media_images.list_media_images,
    media_images.delete_media_image,
    webhook_sessions.create_webhook_session,
    webhook_sessions.check_webhook_sessions,
    webhook_sessions.list_webhook_sessions,
    webhook_sessions.delete_webhook_session,
    alternatives.send_c2c_input_notify_alt,
    alternatives.complete_c2c_upload_alt,
)
