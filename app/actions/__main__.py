"""``python -m app.actions``: print docs/keys.md."""

from __future__ import annotations

import sys

from app.actions import ACTIONS
from app.actions.listing import keys_page

if __name__ == "__main__":
    sys.stdout.write(keys_page(ACTIONS))
