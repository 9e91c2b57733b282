"""The similarity of two recordings as a map one can work on."""

from app.views.heatmap.colours import viridis_table
from app.views.heatmap.hand_bar import HandBar
from app.views.heatmap.panel import HeatmapPanel
from app.views.heatmap.review_bar import ReviewBar

__all__ = ["HandBar", "HeatmapPanel", "ReviewBar", "viridis_table"]
