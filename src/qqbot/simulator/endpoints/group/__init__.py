"""Calls about QQ groups."""
