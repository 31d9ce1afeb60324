from tests.redis.servers import engine, store

__all__ = ["engine", "store"]
