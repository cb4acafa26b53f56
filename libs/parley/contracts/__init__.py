"""The agreement between services: generated from `proto/`, versioned by package."""
