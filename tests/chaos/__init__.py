"""Chaos: bots on the simulator under random faults, and the invariants that must hold.

`people` writes messages, `storm` lets things go wrong, `bots` are what is tried and keep a `record` of what they did;
`server_log` is what the simulator delivered and received, and `invariants` compares the two. `run` runs a bot of this
process, `killed` bot processes (`program`) that are killed and stopped; `python -m tests.chaos` runs both.
"""
