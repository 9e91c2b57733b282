"""Widgets. They paint and say what the user wants; they know no presenter."""
