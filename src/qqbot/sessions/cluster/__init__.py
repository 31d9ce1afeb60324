"""Shards shared by many processes: a node, its decisions, and the store in which the nodes agree.

Responsible for `RedisSessionManager` and `EtcdSessionManager` (in `manager`) and everything behind it; `reconcile`
has the decisions.
"""
