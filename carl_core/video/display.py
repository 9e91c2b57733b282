"""The one display transform: every pixel a user or an encoder sees comes through here."""

from __future__ import annotations

from typing import Literal

Fit = Literal["squash", "letterbox", "crop"]
