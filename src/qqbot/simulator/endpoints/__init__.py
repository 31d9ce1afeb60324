"""OpenAPI of the simulated platform, one module for each group of calls."""
