"""Adapt an encoder to a few recordings of one's own: ``python -m training.adapt``."""
