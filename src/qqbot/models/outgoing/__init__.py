"""What a bot sends: `messages` has the values that a user writes, `wire` the bodies that the platform takes."""
