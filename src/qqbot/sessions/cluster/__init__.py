"""Shards shared by many processes: a node, its decisions, and the store in which the nodes agree.

Responsible for `RedisSessionManager` and everything behind it. `manager` is the entrance, `reconcile` has the decisions.
"""
