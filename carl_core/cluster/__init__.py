"""Embed many recordings, with several processes or several machines."""
