"""Gives each conversation one order and decides who answers."""
