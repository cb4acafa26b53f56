"""What guards catch, and what they stop without need, on our own sets."""
