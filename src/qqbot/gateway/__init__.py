"""The websocket side of the platform.

Responsible for close codes, the protocol without I/O, one connection, the shard that runs over many, and the handover
between generations of shards. Collaborators: `lease`, `models`, `api` (tokens, connect options). It handles no event.
"""
