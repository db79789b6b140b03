"""Timings of the agent side by side with what it takes the place of."""
