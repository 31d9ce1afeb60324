"""Endpoints of guilds and channels."""
