"""Theme, icons and texts: everything that decides how the window looks and writes."""
