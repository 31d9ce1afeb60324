"""The page, for people."""
