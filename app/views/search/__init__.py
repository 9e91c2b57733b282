"""What is looked for, and what was found."""

from app.views.search.panel import SearchPanel

__all__ = ["SearchPanel"]
