"""Whether a model may be asked now, and whether it is worth asking again."""
