#!/bin/sh
# Make a virtual environment with the platform's run-time packages, nothing else.
#
# usage: install-environment.sh TARGET     (beside pyproject.toml and requirements.lock)
#
# The lock holds the packages of development too, so what to install comes from pyproject.toml
# and every version and hash from the lock: uv refuses a file whose hash the lock does not list,
# and the last check refuses a package that the lock does not pin.
set -eu
target=$1

set -a
[ ! -f /run/secrets/package_index ] || . /run/secrets/package_index
if [ -s /run/secrets/ca_bundle ]; then
    SSL_CERT_FILE=/run/secrets/ca_bundle
    PIP_CERT=/run/secrets/ca_bundle
fi
set +a

python3 -m venv --without-pip "$target"
installer=$(mktemp -d)
python3 -m venv "$installer"
sed -n '/^uv==/,/[^\\]$/p' requirements.lock > "$installer/uv.txt"
"$installer/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check \
    --require-hashes --requirement "$installer/uv.txt"
uv=$installer/bin/uv

"$uv" pip install --no-cache --compile-bytecode --python "$target/bin/python" \
    --requirements pyproject.toml --constraints requirements.lock

sed -nE 's/^([a-z0-9._-]+)(\[[^]]*\])?(==[^ ;]+).*/\1\3/p' requirements.lock > "$installer/pins.txt"
"$uv" pip freeze --python "$target/bin/python" > "$installer/installed.txt"
if unpinned=$(grep -vxFf "$installer/pins.txt" "$installer/installed.txt"); then
    echo "not pinned by requirements.lock:" "$unpinned" >&2
    exit 1
fi
rm -rf "$installer"
