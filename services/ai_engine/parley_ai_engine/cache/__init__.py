"""Answers that need no model: one that was given a moment ago, or is being given to somebody else right now."""
