#!/bin/sh
# Writes constraints.txt afresh: the newest releases that pyproject.toml allows, resolved in an empty environment.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$(scripts/find-python.sh)" -m venv "$scratch/venv"
pip() { "$scratch/venv/bin/python" -m pip --disable-pip-version-check "$@"; }
pip install -q --upgrade pip
pip install -q editables # what hatchling needs to build the editable install; nothing depends on it otherwise
pip install -q 'torch==2.13.0' # this release has a build for the CPU alone; a newer one may bring several GB
pip install -q -e '.[all]' --group dev
{
  echo "# Written by scripts/update-constraints.sh: every package of the development environment at one version."
  echo "# Read by make and by CI only; a user's install follows the ranges in pyproject.toml."
  pip freeze --exclude-editable --all | grep -v '^setuptools==' | grep -v '^-e ' | sed 's/+cpu$//' | sort -f
} >"$scratch/constraints.txt"
mv "$scratch/constraints.txt" constraints.txt
