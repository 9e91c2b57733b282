"""Playback: one clock, and which frame each recording shows at a time."""
