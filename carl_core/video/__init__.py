"""Recordings: open, index, read frame-exactly, show right; write videos and pictures."""
