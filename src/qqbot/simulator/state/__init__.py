"""State of the simulated platform: conversations, quotas, uploads, tokens, and the journal of the traffic."""
