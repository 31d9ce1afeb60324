from tests.sessions.servers import engine, store

__all__ = ["engine", "store"]
