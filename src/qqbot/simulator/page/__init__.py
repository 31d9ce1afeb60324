"""The page of the simulator, in the browser."""
