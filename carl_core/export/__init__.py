"""Results as files: video, table, picture."""
