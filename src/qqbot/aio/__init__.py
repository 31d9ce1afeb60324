"""What asyncio lacks, without any bot in it.

Responsible for clocks, background tasks, throttled warnings, backoff, capacity and cancellation. Collaborators: none
of the package but `errors`. It does not know what runs in the tasks.
"""
