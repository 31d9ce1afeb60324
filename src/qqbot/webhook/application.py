"""`Application`: one webhook address in each of its forms.

Owns no rule: it joins the site to aiohttp and to ASGI.
"""

from aiohttp import web

from .aiohttp import web_application
from .app import SOLE, Site
from .asgi import AsgiApplication

__all__ = ["SOLE", "Application"]


class Application(Site):
    """Several bots at one webhook address, told apart by the header X-Bot-Appid.

    Bots come and go with `add` and `remove`, also while it runs. For functions without a server there is
    `handle_webhook`.
    """

    def webhook(self) -> web.Application:
        """Return it for aiohttp: `app.add_subapp("/qq", application.webhook())`, or to be run alone."""
        return web_application(self)

    def asgi(self) -> AsgiApplication:
        """Return it for ASGI: `app.mount("/qq", application.asgi())`, or to be run alone by a server."""
        return AsgiApplication(self)
