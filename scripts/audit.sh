#!/bin/sh
# Compare what is installed with the advisories of osv.dev. $1: uv, when it is not on the PATH.
set -eu
uv="${1:-uv}"
service=https://api.osv.dev/v1/vulns/OSV-2020-111
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$uv" pip freeze --quiet --exclude-editable | grep '==' > "$folder/installed.txt"
count=$(wc -l < "$folder/installed.txt" | tr -d ' ')
if ! "$uv" run --no-sync python -c "
import sys, urllib.request
try: urllib.request.urlopen('$service', timeout=10).read(1)
except Exception as error: sys.exit(f'audit: NOT DONE for $count packages: api.osv.dev cannot be asked ({error}).')
"; then
    echo "audit: run make audit again where there is a network." >&2
    exit 0
fi
"$uv" tool run --quiet --from 'pip-audit>=2.7,<3' pip-audit --vulnerability-service osv \
    --requirement "$folder/installed.txt" --no-deps --disable-pip --progress-spinner off
