"""Wiring: the only place that knows presenters and views."""
