from tests.redis.conftest import engine, patience_with_the_store, store

__all__ = ["engine", "patience_with_the_store", "store"]
