#!/usr/bin/env bash
# Makes the development environment in the cache folder and prints its path. Needs only Python >= 3.11 with pip.
# Kept outside the checkout and keyed by the locked requirements, so a second clone or a second run costs nothing.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${INSIGHT_CACHE:-$HOME/.cache/insight-engine}
python=${PYTHON:-python3}
# Inside an environment (this one, say): the interpreter it was made from.
python=$("$python" -c 'import sys; print(getattr(sys, "_base_executable", None) or sys.executable)' 2>/dev/null || echo "$python")

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "bootstrap: $python is older than 3.11. Install Python 3.11 or newer, or set PYTHON=/path/to/python3." >&2; exit 1; }
"$python" -m pip --version >/dev/null 2>&1 || {
  echo "bootstrap: $python has no pip. Install it (Debian, Ubuntu: apt-get install python3-pip)." >&2; exit 1; }

key=$( { cat "$root/requirements/dev.txt"; echo "$root"; "$python" -VV; } | sha256sum | cut -c1-16)
venv=$cache/venv/$key
if [ ! -f "$venv/.complete" ]; then
  mkdir -p "$cache/venv"
  exec 9>"$cache/venv/.lock"
  flock 9  # two makes at once: the second waits and finds the work done
fi
if [ ! -f "$venv/.complete" ]; then
  echo "bootstrap: installing the development environment into $venv (about a minute the first time)" >&2
  uv_home=$cache/uv/$(sha256sum "$root/requirements/bootstrap.txt" | cut -c1-16)
  if [ ! -x "$uv_home/bin/uv" ]; then
    rm -rf "$uv_home"
    "$python" -m pip install --quiet --root-user-action ignore --require-hashes --no-deps --target "$uv_home" -r "$root/requirements/bootstrap.txt" >&2
  fi
  export UV_PYTHON_DOWNLOADS=never UV_CACHE_DIR="$cache/uv-cache" UV_LINK_MODE=hardlink
  rm -rf "$venv"
  "$uv_home/bin/uv" venv --quiet --python "$(command -v "$python")" "$venv" >&2
  export VIRTUAL_ENV=$venv
  "$uv_home/bin/uv" pip sync --quiet --require-hashes "$root/requirements/dev.txt" >&2
  "$uv_home/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable "$root" >&2
  touch "$venv/.complete"
fi
echo "$venv"
