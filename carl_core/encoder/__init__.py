"""Encoder files: what they say, how they run, how a recording is embedded."""
