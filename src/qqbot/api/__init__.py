"""The OpenAPI client: routes, token, retries, errors, and the resources on top. It can be used without a bot."""
