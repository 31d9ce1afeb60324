"""What asyncio lacks: clocks, tasks with an owner, cancellation. Knows nothing of bots."""
