#!/bin/sh
# Align the two bundled recordings. With a display, look at them; without one, write files.
set -eu
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || [ "$(uname)" = Darwin ]; then
  if sh scripts/qt_libraries.sh "$(command -v python)"; then exec carl-gui --demo; fi
fi
carl align assets/demo/reference.mp4 assets/demo/other.mp4 -o demo --csv --plot --video
echo "Look at demo/side_by_side.mp4 and demo/heatmap.png; the alignment is in demo/alignment.json and demo/alignment.csv."
