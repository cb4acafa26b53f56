"""Models, each behind its vendor's own SDK."""
