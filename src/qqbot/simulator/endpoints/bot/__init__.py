"""Calls about the bot itself."""
