"""Find a moment in other recordings."""
