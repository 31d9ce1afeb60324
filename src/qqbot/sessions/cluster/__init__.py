"""Shards across processes: a node, what it decides, and the store in which the nodes agree."""
