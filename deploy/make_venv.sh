#!/bin/sh
# Make the virtual environment: by python's own venv, by uv where there is one, as root by installing what is missing.
set -eu
venv=$1
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Parley needs Python 3.11 or newer; $("$python" --version) was found. Name another: make PYTHON=python3.12 ..." >&2
    exit 1
}
if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    exec "$python" -m venv "$venv"
fi
if command -v uv >/dev/null 2>&1; then
    exec uv venv --quiet --seed --python "$python" "$venv"
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    exec "$python" -m venv "$venv"
fi
echo "Python's venv module is missing. Install it with: sudo apt-get install python3-venv" >&2
exit 1
