"""Endpoints of the bot itself."""
