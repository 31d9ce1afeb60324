"""Messages that a bot sends: `messages` has the values that users create, `wire` the bodies for the platform."""
