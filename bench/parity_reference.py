"""Metrics with a reference against the packages that others use.

Without arguments: compute ours on seven pairs and compare with the stored values of the other packages.

    python bench/parity_reference.py

``reference`` computes and stores the values of the other packages::

    python -m venv E && E/bin/pip install torch==2.13.0 sewar && E/bin/pip install --no-deps piq
    python bench/parity_reference.py reference E/bin/python

piq computes in float64 there. It is loaded without its package __init__, which imports torchvision for
networks that are not used here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

STORED = Path(__file__).resolve().parents[1] / "tests" / "metrics" / "data"
REFERENCE = STORED / "full_reference.json"

#: Which package each metric is compared with, and the largest difference from it. sewar's MS-SSIM halves images on
#: another grid than the paper's code, which piq follows; piq's VIF adds a larger constant to its denominators.
TOLERANCE = {
    ("vif", "sewar"): 1e-9,
    ("vif", "piq"): 1e-5,
    ("gmsd", "piq"): 1e-9,
    ("ms_ssim", "piq"): 1e-9,
    ("ms_ssim", "sewar"): 3e-3,
    ("ssim", "sewar"): 1e-9,
    ("psnr", "sewar"): 1e-9,
}  #: Where one side is odd, piq pads both.
ODD = {("ms_ssim", "piq"): 3e-3}

PEER = """
import sys, types, json, warnings
import numpy as np
warnings.simplefilter("ignore")
import importlib.util, torch
package = types.ModuleType("piq")
package.__path__ = importlib.util.find_spec("piq").submodule_search_locations
sys.modules["piq"] = package
from piq.gmsd import gmsd
from piq.ms_ssim import multi_scale_ssim
from piq.vif import vif_p
import sewar
from sewar.utils import Filter
pairs = dict(np.load(sys.argv[1]))
out = {}
for name, (x, y) in pairs.items():
    tx, ty = (torch.from_numpy(v)[None, None] for v in (x, y))
    window = dict(fltr=Filter.GAUSSIAN, sigma=1.5, ws=11)
    out[name] = {
        "vif sewar": sewar.vifp(y, x), "vif piq": vif_p(tx, ty, data_range=255.0).item(),
        "gmsd piq": gmsd(tx, ty, data_range=255.0).item(),
        "ms_ssim piq": multi_scale_ssim(tx, ty, data_range=255.0).item(),
        "ms_ssim sewar": sewar.msssim(y, x, MAX=255), "psnr sewar": sewar.psnr(y, x, MAX=255),
        "ssim sewar": sewar.ssim(y, x, MAX=255, fltr_specs=window)[0],
    }
print(json.dumps(out))
"""


def pairs() -> dict[str, npt.NDArray[np.float64]]:
    """Return (target, reference) pairs: two CT slices of a published reader study, degraded in known ways."""
    from PIL import Image

    found = {}
    rng = np.random.default_rng(1)
    for name in ("ct_low_dose", "ct_denoised"):
        image = np.asarray(Image.open(STORED / f"{name}.png"), dtype=np.float64)
        noise = 20 * rng.standard_normal(image.shape)
        found[f"{name} blurred"] = np.stack([ndimage.gaussian_filter(image, 1.5), image])
        found[f"{name} noisy"] = np.stack([np.clip(image + noise, 0, 255), image])
        found[f"{name} darker"] = np.stack([0.8 * image, image])
    odd = found["ct_low_dose noisy"][:, :-1, :-3]
    return {**found, "ct_low_dose odd size": np.ascontiguousarray(odd)}


def ours(metric: str, pair: npt.NDArray[np.float64]) -> float:
    from scrutiq.metrics import reference

    return float(getattr(reference, metric)(pair[0], pair[1], data_range=255.0))


def compare() -> int:
    stored = json.loads(REFERENCE.read_text())["values"]
    failed = 0
    print(f"{'pair':22} {'metric':8} {'other':>13} {'value':>12} {'ours':>12} {'difference':>11} {'tolerance':>10}")
    for name, pair in pairs().items():
        for (metric, other), tolerance in TOLERANCE.items():
            if name.endswith("odd size"):
                tolerance = ODD.get((metric, other), tolerance)
            theirs, mine = stored[name][f"{metric} {other}"], ours(metric, pair)
            failed += not abs(theirs - mine) <= tolerance
            print(
                f"{name:22} {metric:8} {other:>13} {theirs:12.7f} {mine:12.7f} {mine - theirs:11.1e} {tolerance:10.0e}"
            )
    return int(failed > 0)


def reference(python: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pixels = Path(folder) / "pairs.npz"
        np.savez(pixels, **pairs())
        run = subprocess.run([python, "-c", PEER, str(pixels)], check=True, capture_output=True, text=True)
    listed = subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True, text=True).stdout
    versions = [line for line in listed.split() if line.startswith(("torch=", "piq", "sewar", "numpy", "scipy"))]
    command = "python bench/parity_reference.py reference (see its first lines)"
    text = json.dumps({"made_by": command, "versions": versions, "values": json.loads(run.stdout)}, indent=1)
    REFERENCE.write_text(text + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb")
    verbs.add_parser("reference").add_argument("python")
    given = parser.parse_args()
    if given.verb == "reference":
        reference(given.python)
    return compare()


if __name__ == "__main__":
    sys.exit(main())
