#!/bin/sh
# Qt needs a few system libraries. As root on a Debian-like system install what is missing;
# otherwise print the line to run. Asks whether Qt starts with the given Python.
set -u
python=$1
# With a display, its plugin must load as well: Qt aborts where a library of it is missing.
loads() {
  if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then platform=${QT_QPA_PLATFORM:-}; else platform=offscreen; fi
  QT_QPA_PLATFORM=$platform "$python" -c "from PySide6.QtWidgets import QApplication; QApplication([])" \
    >/dev/null 2>&1
}
loads && exit 0
packages="libgl1 libegl1 libglib2.0-0 libdbus-1-3 libfontconfig1 fonts-dejavu-core libxkbcommon0 \
libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 \
libxcb-render-util0 libxcb-shape0 libxcb-xinerama0"
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "Installing Qt's system libraries with apt-get."
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $packages; } >/dev/null 2>&1
  loads && exit 0
fi
echo "Qt does not load yet. It needs system libraries; on Debian or Ubuntu run:" >&2
echo "  sudo apt-get install $packages" >&2
exit 1
