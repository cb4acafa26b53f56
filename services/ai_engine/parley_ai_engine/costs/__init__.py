"""What models cost: a record of every call, kept for good, and budgets that send a turn to a cheaper rung."""
