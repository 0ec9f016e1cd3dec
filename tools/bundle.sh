#!/usr/bin/env bash
# Packs PDSNO and its locked wheels into one archive, which hosts without a network install from:
#
#   tools/bundle.sh [FOLDER]     writes FOLDER/pdsno-VERSION.tar (default dist/), prints its name
#
# The same sources and the same lock give the same bytes. HOST_PYTHON is the hosts' Python (3.11,
# Debian 12's); they are Linux on the same kind of processor as this machine.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly FOLDER=$(realpath -m "${1:-dist}") HOST_PYTHON=${HOST_PYTHON:-3.11}
pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input)

# Downloaded once for a lock file.
locked=$(cat requirements/runtime.txt <(echo "$HOST_PYTHON $(uname -m)") | sha256sum)
readonly LOCKED=$PWD/build/wheels-${locked:0:12}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [[ ! -d $LOCKED ]]; then
    mkdir -p build
    "${pip[@]}" download --quiet --dest "$work/locked" --no-deps --require-hashes \
        --only-binary :all: --python-version "$HOST_PYTHON" -r requirements/runtime.txt >&2
    rm -rf build/wheels-*
    mv "$work/locked" "$LOCKED"
fi

"${pip[@]}" wheel --quiet --wheel-dir "$work/own" --no-deps --no-index --no-build-isolation . >&2
version=$(basename "$work"/own/pdsno-*.whl | cut -d- -f2)
name=pdsno-$version
mkdir -p "$work/$name/wheels" "$FOLDER"
cp "$LOCKED"/*.whl "$work"/own/*.whl "$work/$name/wheels/"
tar --create --file "$work/$name.tar" --directory "$work" --sort=name --mtime=@0 --owner=0 \
    --group=0 --numeric-owner --mode=u=rwX,go=rX "$name"
mv "$work/$name.tar" "$FOLDER/"
echo "$FOLDER/$name.tar"
