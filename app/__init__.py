"""The window ``carl-gui``: the only part of the program that knows Qt."""
