"""Missing branches: side branches that should be filled are not there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.degradations.xa.beam import from_attenuation
from scrutiq.degradations.xa.fitness import xray_frame
from scrutiq.degradations.xa.tree import branches
from scrutiq.degradations.xa.vessels import Vessels, find_vessels, vessels_of
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION", "apply", "draw"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def draw(image: Image, severity: float, rng: np.random.Generator, mask: Bool | None = None) -> Parameters:
    """Draw which branches are missing: in a random order, what springs from a branch before the branch itself.

    Parameters
    ----------
    image : Image
    severity : float
    rng : numpy.random.Generator
    mask : ndarray of bool, shape (H, W), optional
        Of the vessels, where it is known; found in the image otherwise.
    """
    vessels = find_vessels(image, mask)
    tree = branches(vessels)
    keys = rng.permutation(4096)[: len(tree)].astype(np.int64)
    for k in range(len(tree) - 1, 0, -1):  # a branch stands in the list before what springs from it
        if tree[k].parent >= 0:
            keys[tree[k].parent] = max(keys[tree[k].parent], keys[k] + 1)
    order = [int(k) for k in np.argsort(keys, kind="stable") if not tree[k].trunk]
    total = sum(tree[k].length for k in order)
    left = geometric(0.06, 0.97, severity) * total
    missing = []
    for k in order:
        share = min(1.0, left / tree[k].length)
        if share <= 0:
            break
        left -= tree[k].length
        step = max(1, min(4, len(tree[k].points) // 3))
        missing.append({"path": tree[k].points[::step].tolist(), "share": round(share, 4)})
    return {"missing": missing}


def apply(image: Image, parameters: Parameters, mask: Bool | None = None) -> Image:
    """Take the contrast medium out of branches; the last of them is only fainter.

    Parameters
    ----------
    image : Image
    parameters : mapping
        Of `draw`.
    mask : ndarray of bool, shape (H, W), optional
        As given to `draw`.
    """
    vessels = find_vessels(image, mask)
    weight = removal(vessels, parameters) * vessels.reach
    return from_attenuation(image, vessels.attenuation + weight * (vessels.background - vessels.attenuation))


def removal(vessels: Vessels, parameters: Parameters) -> Array:
    """Return what share of the contrast medium is taken out at each pixel: that of the nearest centreline's branch."""
    from skimage.draw import line
    from skimage.morphology import remove_small_objects

    share = np.zeros(vessels.mask.shape)
    gone = np.zeros(vessels.mask.shape, dtype=bool)
    for branch in parameters["missing"]:
        path = np.asarray(branch["path"], dtype=np.int64)
        # The beginning of a branch lies in the lumen of the vessel that it leaves, which stays.
        lumen = float(vessels.radius[tuple(path[0])])
        outside = path[np.hypot(*(path - path[0]).T) > lumen]
        path = outside if len(outside) > 1 else path
        for a, b in pairwise(path):
            pixels = line(*a, *b)  # type: ignore[no-untyped-call]
            share[pixels], gone[pixels] = float(branch["share"]), True
    if not gone.any():
        return share
    # What is left are the other centrelines, without the spurs beside a branch that is gone.
    left = vessels.skeleton & (ndimage.distance_transform_edt(~gone) > 3)
    left = np.asarray(remove_small_objects(left, max_size=9, connectivity=2))
    nearest = ndimage.distance_transform_edt(~(gone | left), return_distances=False, return_indices=True)
    return np.asarray(ndimage.gaussian_filter(share[nearest[0], nearest[1]], 0.7))


def _side_branches(context: Context) -> float:
    vessels = vessels_of(context)
    length = sum(branch.length for branch in branches(vessels) if not branch.trunk)
    return 1000 * length / max(int(vessels.field.sum()), 1)


MEASURE = Measure(
    name="side_branch_density",
    unit="pixel per 1000 pixels",
    title="length of the vessels besides the trunk, per area of the field",
    direction="higher is better",
    range=(0, 1000),
    source=(
        "Vessel length density, as in quantitative angiography (Reif et al., Int. J. Biomed. Imaging 2012, 509783), of "
        "the centrelines that do not belong to the heavy path from the inlet (Sleator and Tarjan, 1983)."
    ),
    limits=(
        "A right coronary artery, or one with a late frame, has few side branches without any fault: it compares "
        "between frames of one projection. Faint and incompletely filled branches are not seen. Wires and clips count."
    ),
    needs=xray_frame,
    value=_side_branches,
)

DEGRADATION = Degradation(
    name="xa.missing_branches",
    draw=draw,
    apply=apply,
    measurement=MEASURE,
    thresholds=Thresholds(
        clean=6.4,
        mild=5.5,
        severe=4.1,
        worst=0.4,
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
)
