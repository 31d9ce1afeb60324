"""Endpoints of C2C chats."""
