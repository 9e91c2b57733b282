"""The lanes under the pictures."""

from app.views.timeline.widget import Timeline

__all__ = ["Timeline"]
