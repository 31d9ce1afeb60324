"""The bot: its handlers, their context, and what runs while it is served."""
