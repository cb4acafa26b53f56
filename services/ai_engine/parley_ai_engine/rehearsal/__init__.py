"""Conversations that are tried before visitors have them: `parley test`."""
