"""The similarity of two recordings as a map one can work on."""

from app.views.heatmap.colours import viridis_table
from app.views.heatmap.panel import HeatmapPanel

__all__ = ["HeatmapPanel", "viridis_table"]
