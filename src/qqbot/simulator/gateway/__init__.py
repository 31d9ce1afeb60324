"""The websocket gateway of the simulated platform."""
