"""The modules of the bot."""
