"""Calls about one-to-one chats."""
