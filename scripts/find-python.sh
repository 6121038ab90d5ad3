#!/bin/sh
# Prints the path of a Python that can make this project's virtual environment: 3.11 or newer, with venv.
# Set PYTHON to choose one. Each candidate is run, since a name on PATH may be a shim with nothing behind it.
found=""
for candidate in ${PYTHON:-python3.12 python3.11 python3.13 python3 python}; do
  version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      exit 0
    fi
    found="$found $candidate ($version, without the venv module: on Debian install python$version-venv)"
  else
    found="$found $candidate ($version, too old)"
  fi
done
echo "Scrutiq needs Python 3.11 or newer, with venv. Seen:${found:- no Python at all}." >&2
echo "Install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2
exit 1
