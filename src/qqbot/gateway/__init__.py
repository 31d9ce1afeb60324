"""The websocket side of the platform: frames, close codes, the protocol without I/O, and the shard that runs it."""
