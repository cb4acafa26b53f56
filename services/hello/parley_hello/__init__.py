"""The tutorial service."""
