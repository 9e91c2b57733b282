#!/bin/sh
# Print the path of uv; fetch it with pip into .uv/ when it is missing.
set -eu
if command -v uv >/dev/null 2>&1; then command -v uv; exit 0; fi
if [ -x .uv/bin/uv ]; then echo .uv/bin/uv; exit 0; fi
python=$(command -v python3 || command -v python) || {
  echo "Python 3.11 or newer is needed (python3 was not found)." >&2; exit 1; }
if ! { "$python" -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv; } >&2 2>/dev/null; then
  # Debian without python3-venv: pip alone can still unpack uv into a folder.
  rm -rf .uv
  "$python" -m pip install --quiet --disable-pip-version-check --target .uv/site uv >&2
  mkdir -p .uv/bin && ln -sf ../site/bin/uv .uv/bin/uv
fi
echo .uv/bin/uv
