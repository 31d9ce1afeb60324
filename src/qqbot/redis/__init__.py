"""What the processes of a bot share through Redis besides their shards: a lock, the access token, event ids."""
