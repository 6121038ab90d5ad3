"""BRISQUE, NIQE and PIQE against the packages that others use.

Without arguments: compute ours on six images and compare with the stored values of the other packages.

    python bench/parity_baselines.py

``reference`` computes and stores the values of the other packages, each in an environment of its own::

    python -m venv E1 && E1/bin/pip install brisque==0.2.0 'numpy<2.4' opencv-python-headless
    python -m venv E2 && E2/bin/pip install pypiqe==1.2
    python -m venv E3 && E3/bin/pip install torch numpy scipy opencv-python-headless pyyaml
    pip download --no-deps --no-binary :all: basicsr-fixed==1.4.2 && tar xzf basicsr-fixed-1.4.2.tar.gz
    python bench/parity_baselines.py reference E1/bin/python E2/bin/python E3/bin/python basicsr-fixed-1.4.2

``parameters`` makes the parameter files of src/scrutiq/metrics/data from an unpacked brisque 0.2.0 and basicsr::

    python bench/parity_baselines.py parameters E1/lib/python3.11/site-packages/brisque basicsr-fixed-1.4.2
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[1]
STORED = ROOT / "tests" / "metrics" / "data"
REFERENCE = STORED / "baselines.json"
PARAMETERS = ROOT / "src" / "scrutiq" / "metrics" / "data"

#: Largest difference from the stored value, absolute; src/scrutiq/metrics/data/README.md says where each comes from.
TOLERANCE = {"brisque": 2e-2, "niqe": 1e-3, "piqe": 1e-6}

# Each peer reads {name: grey uint8} from argv[1] and prints {name: value}. `basicsr` is loaded without its package
# __init__ files, which import the whole of torchvision.
READ = "import sys, json, numpy as np; images = dict(np.load(sys.argv[1]));"
PEERS = {
    "brisque": READ
    + """
from brisque import BRISQUE
peer = BRISQUE(url=False)
print(json.dumps({k: float(peer.score(np.dstack([v] * 3))) for k, v in images.items()}))
""",
    "piqe": READ
    + """
from pypiqe import piqe
print(json.dumps({k: float(piqe(v)[0]) for k, v in images.items()}))
""",
    "niqe": READ
    + """
import types
for name in ("basicsr", "basicsr.metrics", "basicsr.utils"):
    module = types.ModuleType(name)
    module.__path__ = [sys.argv[2] + "/" + name.replace(".", "/")]
    sys.modules[name] = module
module.bgr2ycbcr = None  # imported, but used for colour only
from basicsr.metrics.niqe import calculate_niqe
print(json.dumps({k: calculate_niqe(v, 0, input_order="HW") for k, v in images.items()}))
""",
}


def images() -> dict[str, npt.NDArray[np.uint8]]:
    """Four photographs that scikit-image carries and two CT slices of a published reader study."""
    import skimage.data
    from skimage.io import imread

    photographs = {name: getattr(skimage.data, name)() for name in ("camera", "moon", "coins", "gravel")}
    return photographs | {path.stem: imread(path) for path in sorted(STORED.glob("ct_*.png"))}


def ours(name: str, image: npt.NDArray[np.uint8]) -> float:
    from scrutiq.metrics.brisque import brisque
    from scrutiq.metrics.niqe import niqe
    from scrutiq.metrics.piqe import piqe

    if name == "piqe":  # pypiqe takes the range from the image: its maximum becomes white
        return piqe(image, data_range=(0, float(image.max())))
    return {"brisque": brisque, "niqe": niqe}[name](image, data_range=(0, 255))


def compare() -> int:
    failed = 0
    print(f"{'image':14} {'metric':8} {'other':>12} {'ours':>12} {'difference':>11} {'tolerance':>10}")
    stored = json.loads(REFERENCE.read_text())["values"]
    for image_name, image in images().items():
        for metric, tolerance in TOLERANCE.items():
            other, mine = stored[metric][image_name], ours(metric, image)
            failed += abs(other - mine) > tolerance
            print(f"{image_name:14} {metric:8} {other:12.6f} {mine:12.6f} {mine - other:11.1e} {tolerance:10.0e}")
    return int(failed > 0)


def reference(pythons: dict[str, str], basicsr: str) -> None:
    values, versions = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        pixels = Path(folder) / "images.npz"
        np.savez(pixels, **images())
        for metric, python in pythons.items():
            run = [python, "-c", PEERS[metric], str(pixels), basicsr]
            values[metric] = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
            listed = subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True, text=True).stdout
            wanted = ("brisque", "pypiqe", "numpy", "scipy", "opencv", "libsvm", "scikit-image")
            versions[metric] = [line for line in listed.split() if line.startswith(wanted)]
    versions["niqe"].insert(0, Path(basicsr).name)
    command = "python bench/parity_baselines.py reference (see its first lines)"
    text = json.dumps({"made_by": command, "versions": versions, "values": values}, indent=1)
    REFERENCE.write_text(text + "\n")


def parameters(brisque: Path, basicsr: Path) -> None:
    svr = brisque / "models" / "svm.txt"
    header, _, body = svr.read_text().partition("SV\n")
    head = dict(line.split(" ", 1) for line in header.splitlines())
    rows = [line.split() for line in body.splitlines()]
    support = np.zeros((len(rows), 36), np.float32)
    for i, row in enumerate(rows):
        for cell in row[1:]:
            index, value = cell.split(":")
            support[i, int(index) - 1] = float(value)
    scale = pickle.loads((brisque / "models" / "normalize.pickle").read_bytes())
    np.savez_compressed(
        PARAMETERS / "brisque_svr.npz",
        support=support,
        weights=np.array([float(row[0]) for row in rows]),
        offset=float(head["rho"]),
        gamma=float(head["gamma"]),
        low=np.asarray(scale["min_"], np.float64),
        high=np.asarray(scale["max_"], np.float64),
    )
    natural = np.load(basicsr / "basicsr" / "metrics" / "niqe_pris_params.npz")
    np.savez_compressed(
        PARAMETERS / "niqe_natural.npz", mean=natural["mu_pris_param"].ravel(), covariance=natural["cov_pris_param"]
    )
    for path in (svr, basicsr / "basicsr" / "metrics" / "niqe_pris_params.npz", *sorted(PARAMETERS.glob("*.npz"))):
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name, path.stat().st_size)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb")
    make = verbs.add_parser("reference")
    make.add_argument("brisque")
    make.add_argument("pypiqe")
    make.add_argument("torch")
    make.add_argument("basicsr")
    convert = verbs.add_parser("parameters")
    convert.add_argument("brisque", type=Path)
    convert.add_argument("basicsr", type=Path)
    given = parser.parse_args()
    if given.verb == "reference":
        reference({"brisque": given.brisque, "piqe": given.pypiqe, "niqe": given.torch}, given.basicsr)
    elif given.verb == "parameters":
        parameters(given.brisque, given.basicsr)
        return 0
    return compare()


if __name__ == "__main__":
    sys.exit(main())
