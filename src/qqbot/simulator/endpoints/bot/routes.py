"""List of the endpoints about data that the platform stores for the bot, for `rest`."""

from .. import alternatives
from ..call import Endpoint
from . import media_images, menus, panels, webhook_sessions

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
