"""Moderation of a guild. Try it: `qqbot simulate examples/moderation/main.py --profile private`."""

from mod import admin, infra, words

from qqbot import Bot

infra.log_as_json()
bot = Bot(lifespan=infra.lifespan)
bot.on_error(infra.answer_error)
bot.include(words.router, admin.router)

if __name__ == "__main__":
    bot.run()
