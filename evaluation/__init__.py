"""Measures what the product finds and how sure it is, on public sets and on the shop's own questions."""
