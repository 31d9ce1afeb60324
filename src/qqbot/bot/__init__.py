"""A bot: its handlers, what they are called with, and what runs while it is served."""
