"""Windmill artefacts: helical interpolation between detector rows that are too coarse."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.volumes import RIPPLE_ACROSS_HU, slice_distance
from scrutiq.degradations.spec import Parameters, VolumeDegradation
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric

__all__ = ["DEGRADATION"]

#: Views of a turn: the vanes are wide.
_VIEWS = 360


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    distance = slice_distance(cast("Sequence[Image]", image))
    return {
        **scan.draw_scan(rng, beam="fan"),
        "views": _VIEWS,
        "row_mm": geometric(0.7, 8.0, severity) * distance,
        "rows_per_turn": int(rng.integers(3, 9)),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    volume = cast("Sequence[Image]", image)
    distance = slice_distance(volume)
    beam = scan.beam_of(volume[0], parameters)
    row, vanes = float(parameters["row_mm"]) / distance, int(parameters["rows_per_turn"])
    kernel = str(parameters["kernel"])
    # The table feeds `vanes` rows in a turn, so that the rows sit elsewhere along z in every view.
    offset = row * np.mod(vanes * np.arange(beam.views) / beam.views, 1)

    @lru_cache(maxsize=2 * int(np.ceil(row)) + 5)
    def measured(index: int) -> npt.NDArray[np.float32]:
        # Without its noise, which the interpolation would average: vanes come from the anatomy.
        smooth = volume[index].replace(pixels=ndimage.median_filter(volume[index].pixels, 5))
        return scan.line_integrals(smooth, beam)

    made = []
    for index, one in enumerate(volume):
        lower = np.floor((index - offset) / row) * row + offset
        part = (index - lower) / row
        error = -measured(index)
        for place, weight in ((lower, 1 - part), (lower + row, part)):
            # What a row at that place sees lies between two slices.
            below = np.floor(place).astype(int)
            share = place - below
            for at, much in ((below, weight * (1 - share)), (below + 1, weight * share)):
                slices = np.clip(at, 0, len(volume) - 1)
                for which in np.unique(slices):
                    views = slices == which
                    error[views] += much[views, None].astype(np.float32) * measured(int(which))[views]
        made.append(scan.add(one, scan.error_in_hu(error, one, beam, kernel), beam))
    return cast("Image", tuple(made))


DEGRADATION = VolumeDegradation(
    name="ct.windmill",
    draw=_draw,
    apply=_apply,
    measurement=RIPPLE_ACROSS_HU,
    thresholds=Thresholds(
        clean=1.85,
        mild=1.95,
        severe=2.6,
        worst=4.75,
        scale="log",
        basis="Of a synthetic volume of spheres, slices 1 mm apart; no thin real volume was at hand.",
    ),
)
