"""The nouns of the platform as immutable msgspec Structs: pure, comparable, picklable.

Owns shapes and their rules; holds no reference to a bot, reads no clock, makes no decoder.
"""
