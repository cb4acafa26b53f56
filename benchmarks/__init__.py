"""Measurements: the product beside the floor of the same run. Never a test: a machine's speed is no promise."""
