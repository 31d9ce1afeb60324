"""The OpenAPI client, usable without a bot.

Responsible for calls to the platform: routes, token, retries, errors, and the resources that have the endpoints.
Collaborators: `models` has the bodies and the answers. It knows neither events nor handlers.
"""
