"""What a conversation means, as pure functions: values in, values out."""
