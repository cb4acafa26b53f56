"""Parley Realtime v1: one semantics for every transport."""
