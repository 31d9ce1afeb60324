"""What a bot reports to monitoring systems: metrics for Prometheus, spans and metrics for OpenTelemetry.

Responsible for turning what the hooks of a bot are called with into the form of each system; both need an extra.
Collaborators: `bot` imports a module of these when it is asked for it. Nothing here is called by a bot that does not.
"""
