"""The window of CARL (Qt)."""
