"""Answers turns: quotes the knowledge, asks a model where one is configured, and says so when it is not sure."""
