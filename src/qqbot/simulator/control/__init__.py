"""The control API, for programs."""
