"""From two sequences of embeddings to a monotone time map with its confidence."""
