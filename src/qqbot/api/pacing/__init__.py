"""Pacing of active messages: `quotas` has the numbers and counts, `pacer` lets calls wait for room."""
