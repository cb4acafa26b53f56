"""Knowledge: takes in a desk's documents, finds the passage that answers, and says how sure it is."""
