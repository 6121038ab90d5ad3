#!/usr/bin/env bash
# Installs the Debian packages that the tests and the reports' screenshots use. Run as root. Nothing else needs them.
set -euo pipefail

packages=(
  chromium          # opens reports and the docs site as a reader sees them
  fonts-dejavu-core # text in those pages, the same on every machine
  fonts-liberation
  poppler-utils     # pdftoppm and pdftotext: look at a printed report
)

missing=()
for package in "${packages[@]}"; do
  if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
    missing+=("$package")
  fi
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "Debian packages: all there (${packages[*]})."
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "Debian packages missing: ${missing[*]}. Run this script as root to install them." >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
