"""What the user decides about a comparison, as one value, and the file it is kept in."""
