"""Who is believed about an image, and what a sidecar may say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from scrutiq.core import GREY, HU, Image, InputError, Modality, UsageError, Window
from scrutiq.imaging.options import Given, Sidecar, apply, read_sidecar

PLAIN = Image(pixels=np.arange(12, dtype=np.float32).reshape(3, 4), data_range=(0, 255))


def sidecar(strict: bool = True, **content: Any) -> Sidecar:
    found = read_sidecar(json.dumps(content).encode(), strict=strict)
    assert found is not None
    return found


def test_the_texts_of_the_command_line() -> None:
    given = Given.parse("ct", "40,400", "0.7")
    assert given == Given(Modality.CT, Window.from_bounds(-160, 240), (0.7, 0.7))
    assert Given.parse(spacing="0.7, 0.8").spacing == (0.7, 0.8)
    assert Given.parse() == Given()
    assert Given.of(modality="Fundus", window=(40, 400), spacing=2) == Given(
        Modality.FUNDUS, Window.from_bounds(-160, 240), (2, 2)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"modality": "PET"},
        {"modality": "unknown"},
        {"window": "40"},
        {"window": "40,0"},
        {"window": "a,b"},
        {"window": "inf,400"},
        {"spacing": "0"},
        {"spacing": "1,2,3"},
        {"spacing": "nan"},
        {"spacing": "1e-300"},
        {"spacing": "0.5,1e300"},
        {"spacing": ""},
    ],
)
def test_wrong_texts_are_a_wrong_call(options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Given.parse(**options)


def test_who_is_believed() -> None:
    user = Given(Modality.MR, Window(center=1, width=2), (1, 1))
    file = PLAIN.replace(modality=Modality.CT, voi=Window(center=3, width=4), spacing=(2, 2))
    beside = sidecar(modality="XA", window=[5, 6], spacing=[3, 3])
    said = apply(file, user, beside, states_values=True)
    assert (said.modality, said.voi, said.spacing) == (Modality.MR, user.window, (1, 1))
    stated = apply(file, Given(), beside, states_values=True)
    assert (stated.modality, stated.voi, stated.spacing) == (Modality.CT, file.voi, (2, 2))
    filled = apply(PLAIN, Given(), beside, states_values=False)
    assert (filled.modality, filled.voi, filled.spacing) == (Modality.XA, Window(center=5, width=6), (3, 3))
    assert apply(PLAIN, Given(), None, states_values=False) is PLAIN


def test_rescale_to_hounsfield_units() -> None:
    beside = sidecar(modality="CT", unit="HU", rescale={"slope": 2, "intercept": -1000}, data_range=[0, 100])
    image = apply(PLAIN, Given(), beside, states_values=False)
    assert np.array_equal(image.pixels, PLAIN.pixels * 2 - 1000)
    assert (image.unit, image.data_range) == (HU, (-1000, -800))
    untouched = apply(PLAIN, Given(), beside, states_values=True)
    assert (untouched.unit, untouched.data_range) == (GREY, (0, 255))
    assert np.array_equal(untouched.pixels, PLAIN.pixels)


def test_a_falling_rescale_keeps_the_range_in_order_and_moves_the_files_window() -> None:
    file = PLAIN.replace(voi=Window.from_bounds(10, 20))
    image = apply(file, Given(), sidecar(rescale={"slope": -1, "intercept": 255}), states_values=False)
    assert (image.unit, image.data_range) == (GREY, (0, 255))
    assert isinstance(image.voi, Window)
    assert image.voi.bounds == (235, 245)
    asked = Window(center=3, width=4)
    both = apply(file, Given(window=asked), sidecar(rescale={"slope": -1, "intercept": 255}), states_values=False)
    assert both.voi == asked


@pytest.mark.parametrize(("slope", "intercept"), [(1e300, 0), (-1e38, 0), (1, 1e39), (1e308, 1e308), (1e-300, 1000)])
def test_a_rescale_that_leaves_no_numbers_says_so(slope: float, intercept: float) -> None:
    beside = sidecar(modality="CT", unit="HU", rescale={"slope": slope, "intercept": intercept})
    for image in (PLAIN, PLAIN.replace(voi=Window.from_bounds(10, 20))):
        with pytest.raises(InputError, match="'rescale'"):
            apply(image, Given(), beside, states_values=False)


def test_hounsfield_units_need_a_modality_that_has_them() -> None:
    beside = sidecar(unit="HU", rescale={"slope": 1, "intercept": 0})
    with pytest.raises(InputError, match="does not fit the modality unknown"):
        apply(PLAIN, Given(), beside, states_values=False)
    with pytest.raises(InputError, match="does not fit the modality MR"):
        apply(PLAIN, Given(modality=Modality.MR), beside, states_values=False)


def test_colour_takes_neither_window_nor_rescale() -> None:
    colour = Image(pixels=np.ones((2, 2, 3)), data_range=(0, 255))
    beside = sidecar(window=[1, 2], rescale={"slope": 2, "intercept": 0}, modality="fundus")
    image = apply(colour, Given(window=Window(center=1, width=2)), beside, states_values=False)
    assert image == colour.replace(modality=Modality.FUNDUS)


def test_metadata_by_the_allow_list() -> None:
    image = apply(
        PLAIN.replace(metadata={"kvp": 120}),
        Given(),
        sidecar(metadata={"kvp": 80, "slice_thickness": 3}),
        states_values=True,
    )
    assert image.metadata == {"kvp": 120, "slice_thickness": 3}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"modality": "Roe^Jane"}, "modality"),
        ({"window": [1, 0]}, "window"),
        ({"window": "40,400"}, "window"),
        ({"spacing": [1, -1]}, "spacing"),
        ({"spacing": [1e-300, 1]}, "spacing"),
        ({"spacing": 1e300}, "spacing"),
        ({"spacing": True}, "spacing"),
        ({"rescale": {"slope": 0, "intercept": 1}}, "rescale"),
        ({"rescale": {"slope": 1}}, "rescale"),
        ({"unit": "HU"}, "unit"),
        ({"unit": "Roe^Jane"}, "unit"),
        ({"data_range": [5, 5]}, "data_range"),
        ({"metadata": {"patient": 1}}, "metadata"),
        ({"metadata": {"kvp": "Roe^Jane"}}, "metadata"),
    ],
)
def test_a_wrong_value_names_its_key_and_not_itself(content: dict[str, Any], key: str) -> None:
    for strict in (True, False):
        with pytest.raises(InputError, match=f"'{key}' is not valid") as caught:
            sidecar(strict, **content)
        assert "Roe" not in caught.value.reason
        assert caught.value.reason.endswith(".")


def test_files_of_other_programs_are_left_alone() -> None:
    for content in ({"MagneticFieldStrength": 3, "Modality": "MR"}, {"shapes": [], "version": "5"}, {}, [1], "text"):
        assert read_sidecar(json.dumps(content).encode(), strict=False) is None
    assert sidecar(False, spacing=1, SliceThickness=3).spacing == (1, 1)


def test_a_slip_of_the_pen_is_noticed() -> None:
    with pytest.raises(InputError, match="did you mean 'modality'"):
        sidecar(False, modalty="CT")
    with pytest.raises(InputError, match="unknown key"):
        sidecar(True, patient="Roe^Jane")
    for content in (b"{", b"\xff\xfe", b"[" * 100_000, b"[1]"):
        with pytest.raises(InputError):
            read_sidecar(content, strict=True)


def test_the_nearer_sidecar_wins_key_by_key() -> None:
    near = sidecar(spacing=1, unit="grey level", metadata={"kvp": 80})
    far = sidecar(
        spacing=2,
        modality="CT",
        unit="HU",
        rescale={"slope": 1, "intercept": -1024},
        metadata={"kvp": 120, "pitch": 1},
    )
    merged = near.over(far)
    assert (merged.spacing, merged.modality) == ((1, 1), Modality.CT)
    assert (merged.unit, merged.rescale) == ("grey level", None)
    assert merged.metadata == {"kvp": 80, "pitch": 1}
