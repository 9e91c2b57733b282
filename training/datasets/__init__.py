"""Where training recordings come from."""
