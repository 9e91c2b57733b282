"""The command line ``carl``."""
