"""How much of the tissue is flat patches without any texture."""

from __future__ import annotations

import numpy as np

from scrutiq.degradations.ct.where import calibrated, hounsfield
from scrutiq.metrics import Context, Measure

__all__ = ["FLAT_PATCHES"]

#: Differences between neighbours below this share of the typical one are flat.
_SHARE = 0.1


def _flat(context: Context) -> float:
    values, tissue = hounsfield(context), context.tissue
    pairs = tissue[:, 1:] & tissue[:, :-1], tissue[1:] & tissue[:-1]
    steps = np.abs(np.concatenate([np.diff(values, axis=1)[pairs[0]], np.diff(values, axis=0)[pairs[1]]]))
    if not steps.size or steps.mean() == 0:
        return 100.0
    return float(100 * (steps < _SHARE * steps.mean()).mean())


FLAT_PATCHES = Measure(
    name="flat_patches",
    unit="%",
    title="share of neighbouring pixels of tissue that are almost equal, while others differ",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Share of the differences between neighbours below a tenth of their mean: 6 % where they are normal, far more "
        "where total variation has made them sparse, their Laplacian to spiked distribution (Rudin, Osher and Fatemi, "
        "Physica D 60, 1992; Tang et al., Phys. Med. Biol. 54, 2009, on patchiness in CT)."
    ),
    limits="Values that were rounded to whole HU make small differences equal: a smooth image reads too high.",
    needs=calibrated,
    value=_flat,
)
