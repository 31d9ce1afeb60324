"""The project's own benchmarks: each beside its floor, interleaved in one run. They report; nothing fails on them."""
