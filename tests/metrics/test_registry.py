"""Every measurement, on every kind of image: a value with its unit, or a reason."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import scrutiq.metrics
from scrutiq.core import HU, Image, Measurement, Modality, UsageError, Window
from scrutiq.imaging import read
from scrutiq.metrics import MEASURES, Context, Undefined, measure, measure_map, why_not
from scrutiq.metrics.registry import PIXEL_UNIT

PHYSICAL = [name for name, entry in MEASURES.items() if not entry.baseline]
MAPS = [name for name, entry in MEASURES.items() if entry.map is not None]


def check(image: Image) -> dict[str, Measurement]:
    """Measure everything; see that each measurement has a value in its range or a reason, and each map its shape."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        context = Context(image)
        values, reasons = measure(context, MEASURES), why_not(context, MEASURES)
        maps = {name: measure_map(context, name) for name in MAPS}
    assert values.keys() | reasons.keys() == MEASURES.keys()
    assert not values.keys() & reasons.keys()
    for name, found in values.items():
        low, high = MEASURES[name].range
        assert low <= found.value <= high, name
        assert np.isfinite(found.value)
        assert found.unit == MEASURES[name].unit_of(image)
    for name, reason in reasons.items():
        assert reason[0].isupper(), name
        assert reason.endswith("."), name
    for name, where in maps.items():
        assert where.shape == image.shape
        assert where.dtype == np.float32
        assert not np.isinf(where).any(), name
    return values


def test_every_measure_says_what_it_is() -> None:
    for name, entry in MEASURES.items():
        assert entry.name == name
        assert name.isidentifier()
        for text in (entry.source, entry.limits):
            assert text.rstrip()[-1] == ".", name
            assert "  " not in text, name
        assert entry.title[-1] != "."
        assert entry.unit
        assert entry.range[0] < entry.range[1]


def test_every_measure_has_a_value_on_some_image(shared: Path) -> None:
    ct = read(sorted((shared / "ct_siim_tcga").glob("*.dcm"))[0], frame=0)
    grey = read(shared / "ct_denoising_readers/brain/set_01/II.png", modality="CT", frame=0)
    xa = read(sorted((shared / "xa_coronary" / "images").glob("*.jpg"))[0], modality="XA", frame=0)
    colour = read(shared / "fundus_hrf/01_h.jpg", modality="fundus", frame=0)
    found: set[str] = set()
    for image in (ct, grey, xa, colour):
        found |= check(image).keys()
    assert found == MEASURES.keys()


SHAPES = [(1, 1), (2, 2), (1, 64), (64, 1), (5, 5), (15, 15), (16, 40), (40, 40), (4, 600)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("kind", ["noise", "constant", "black", "nan", "holes", "infinity", "huge", "tiny", "binary"])
def test_odd_images_get_a_value_or_a_reason(
    shape: tuple[int, int], colour: bool, kind: str, rng: np.random.Generator
) -> None:
    pixels = rng.normal(120, 25, shape + ((3,) if colour else ()))
    if kind == "constant":
        pixels[:] = 77
    elif kind == "black":
        pixels[:] = 0
    elif kind == "nan":
        pixels[:] = np.nan
    elif kind == "holes":
        pixels[rng.random(shape) < 0.1] = np.nan
    elif kind == "infinity":
        pixels[0, 0] = np.inf
    elif kind == "huge":
        pixels *= 1e36
    elif kind == "tiny":
        pixels *= 1e-36
    elif kind == "binary":
        pixels = 255.0 * (pixels > 120)
    for more in ({"data_range": (0, 255)}, {}, {"modality": Modality.MR, "spacing": (0.5, 0.7)}):
        values = check(Image(pixels=pixels, **more))
        if kind in ("constant", "black", "nan"):
            assert not values.keys() & {"noise", "blur", "contrast_to_noise", "edge_rise_mm", "edge_rise_pixels"}
    if not colour:
        check(Image(pixels=pixels - 60, unit=HU, modality=Modality.CT, spacing=(0.7, 0.7)))


def test_an_image_without_a_valid_pixel_has_one_reason() -> None:
    image = Image(pixels=np.zeros((32, 32)), valid=np.zeros((32, 32), bool), data_range=(0, 255))
    assert set(why_not(image, MEASURES).values()) == {"The image has no valid pixel."}


def test_a_measurement_depends_on_nothing_but_the_image(rng: np.random.Generator) -> None:
    a, b = (Image(pixels=rng.normal(100, s, (96, 96)), data_range=(0, 255)) for s in (5, 9))
    alone = measure(b)
    measure(a)
    assert measure(b) == alone
    assert measure(b, reversed(PHYSICAL)) == alone
    context = Context(b)
    for name in PHYSICAL:
        measure(context, [name])
    assert measure(context) == alone


def test_windows_and_inversion_do_not_move_a_measurement(rng: np.random.Generator) -> None:
    image = Image(pixels=rng.normal(40, 15, (96, 96)), unit=HU, modality=Modality.CT)
    shown = image.replace(voi=Window(center=40, width=80), inverted=True)
    assert measure(shown) == measure(image)


def test_baselines_are_asked_for_by_name_and_see_what_the_window_shows(rng: np.random.Generator) -> None:
    pixels = rng.normal(100, 20, (200, 200))
    grey = Image(pixels=pixels, data_range=(0, 255))
    assert not measure(grey).keys() & {"brisque", "niqe", "piqe"}
    assert measure(grey, ["brisque", "niqe", "piqe"]).keys() == {"brisque", "niqe", "piqe"}
    ct = Image(pixels=pixels - 100, unit=HU, modality=Modality.CT)
    assert "window" in why_not(ct, ["piqe"])["piqe"]
    windowed = ct.replace(voi=Window.from_bounds(-100, 155))
    assert measure(windowed, ["niqe"])["niqe"].value == pytest.approx(measure(grey, ["niqe"])["niqe"].value, rel=1e-3)


def test_pixel_unit_is_the_unit_of_the_image() -> None:
    pixels = np.random.default_rng(0).normal(500, 20, (64, 64))
    image = Image(pixels=pixels, unit="Bq/ml", data_range=(0, 1000))
    assert MEASURES["noise"].unit == PIXEL_UNIT
    assert check(image)["noise"].unit == "Bq/ml"


def test_compute_and_applies(rng: np.random.Generator) -> None:
    image = Image(pixels=rng.normal(100, 5, (64, 64)), data_range=(0, 255))
    assert MEASURES["noise"].applies(image) is None
    assert MEASURES["noise"].compute(image) == pytest.approx(5, rel=0.1)
    assert "not calibrated" in str(MEASURES["noise_hu"].applies(image))
    assert MEASURES["noise_hu"].compute(image) is None
    assert isinstance(MEASURES["noise_hu"].result(image), Undefined)


def test_unknown_names_and_maps_are_refused() -> None:
    image = Image(pixels=np.zeros((8, 8)))
    for call in (measure, why_not):
        with pytest.raises(UsageError, match="sharpnes"):
            call(image, ["sharpnes"])
    with pytest.raises(UsageError, match="has no map"):
        measure_map(image, "exposure")


def test_the_package_is_lazy_and_complete() -> None:
    for name in scrutiq.metrics.__all__:
        assert getattr(scrutiq.metrics, name) is not None
    with pytest.raises(AttributeError):
        scrutiq.metrics.nothing  # noqa: B018
    code = "import json, sys, scrutiq.metrics; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
    assert not {"scipy", "skimage", "scrutiq.metrics.registry"} & set(loaded)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("pattern", "modality"),
    [
        ("ct_siim_tcga/*.dcm", None),
        ("ct_denoising_readers/abdomen/set_01/*.png", "CT"),
        ("mri_t1_defaced/*.dcm", None),
        ("mri_contrast_t1/*.dcm", None),
        ("mri_nifti/chris_PD.nii.gz", "MR"),
        ("mri_spine_nifti/t2.nii.gz", "MR"),
        ("xa_coronary/images/*.jpg", "XA"),
        ("xa_phantom_cines/IM*", None),
        ("fundus_eyeq200/images/*.jpeg", "fundus"),
        ("fundus_drive_chase/*_test.tif", "fundus"),
        ("endoscopy_ead2019/annotationImages_and_labels/*.jpg", "endoscopy"),
        ("endoscopy_gastroscopy/*.png", "endoscopy"),
        ("histo_tiles/*.jpg", "histopathology"),
        ("histo_monuseg/*.png", "histopathology"),
        ("skimage_cc0/ihc.png", "histopathology"),
        ("radiograph_chest/IM-0001-0001.jpeg", None),
        ("dicom_compressed_pairs/J2KR/*", None),
    ],
)
def test_real_images_of_every_kind(shared: Path, pattern: str, modality: str | None) -> None:
    path = sorted(shared.glob(pattern))[0]
    opened = read(path, modality=modality)
    values = check(opened if isinstance(opened, Image) else opened[len(opened) // 2])
    assert values.keys() >= {"blur", "plateau", "blockiness"}
