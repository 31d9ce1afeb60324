"""What the processes of one bot share through Redis besides their shards: a lock, the access token, event ids."""
