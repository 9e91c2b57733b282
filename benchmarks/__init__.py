"""One script per claim, peers side by side in the same run."""
