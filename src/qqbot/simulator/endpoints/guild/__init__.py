"""Calls about guilds and channels."""
