"""Endpoints of QQ groups."""
