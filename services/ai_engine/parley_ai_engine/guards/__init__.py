"""What must not reach a visitor, however a model was talked into it."""
