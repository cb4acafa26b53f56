"""Takes in pictures, checks them, encodes them anew and keeps them."""
