"""Whether a bot is served, by what users can see of it."""

from qqbot import Bot, ConfigError


def is_served(bot: Bot) -> bool:
    try:
        bot.stats()
    except ConfigError:
        return False
    return True
