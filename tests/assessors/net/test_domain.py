"""The domain check: its numbers, worked out by hand on a model of two features."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from scrutiq.assessors.net.domain import DomainCard, DomainModel
from scrutiq.core import InputError


@pytest.fixture
def model() -> DomainModel:
    """Two grey modalities and a photograph, told apart by the second of two features; the first is the colour."""
    single = np.float32
    return DomainModel(
        modalities=("CT", "MR"),
        kinds=("CT", "MR", "photograph"),
        mean=np.array([0, 10], dtype=single),
        scale=np.array([1, 2], dtype=single),
        weight=np.array([[0, 1], [0, -1], [0, 0]], dtype=single),
        bias=np.array([0, 0, -1], dtype=single),
        basis=np.array([[0, 1]], dtype=single),
        centre=np.array([[1], [-1]], dtype=single),
        whiten=np.array([[[2]], [[1]]], dtype=single),
        reference=np.array([1.5, 1], dtype=single),
        coloured=np.array([0, 0], dtype=single),
        blend=np.array([1, 2, -0.5], dtype=single),
    )


def test_features_are_standardised_and_cut(model: DomainModel) -> None:
    assert model.standardised(np.array([0.5, 14.0])).tolist() == [0.5, 2.0]
    assert model.standardised(np.array([0.0, 1000.0])).tolist() == [0.0, 5.0]


def test_the_log_odds_are_those_of_anything_else(model: DomainModel) -> None:
    # x = 2: logits 2, -2, -1, so all but CT sum to e^-2 + e^-1.
    odds = float(model.log_odds(np.array([0.0, 14.0]), "CT"))
    assert odds == pytest.approx(np.log(np.exp(-2) + np.exp(-1)) - 2)
    # Against a probability: sigmoid of minus the odds is that of the modality.
    probability = np.exp(2) / (np.exp(2) + np.exp(-2) + np.exp(-1))
    assert 1 / (1 + np.exp(odds)) == pytest.approx(probability)


def test_the_distance_is_in_units_of_what_is_usual(model: DomainModel) -> None:
    features = np.array([0.0, 14.0])  # 2 deviations
    assert float(model.distance(features, "CT")) == pytest.approx(2 * (2 - 1) / 1.5)
    assert float(model.distance(features, "MR")) == pytest.approx(3)


def test_unusual_weighs_both_and_takes_many_at_once(model: DomainModel) -> None:
    features = np.array([[0.0, 12.0], [0.0, 6.0]])
    expected = model.log_odds(features, "MR") + 2 * np.log(model.distance(features, "MR") + 1e-6) - 0.5
    assert model.unusual(features, "MR") == pytest.approx(expected)
    assert model.unusual(features, "MR")[0] > model.unusual(features, "MR")[1]


def test_what_is_far_away_is_declined_whatever_it_looks_like(model: DomainModel) -> None:
    near, far = np.array([0.0, 3.0]), np.array([0.0, 0.0])  # 2.5 and 4 times the reference from MR
    assert float(model.distance(near, "MR")) == pytest.approx(2.5)
    assert float(model.distance(far, "MR")) == pytest.approx(4)
    plain = float(model.log_odds(far, "MR")) + 2 * np.log(4) - 0.5
    assert float(model.unusual(far, "MR")) == pytest.approx(plain + 30 * np.log(4 / 2.5), abs=1e-4)


def test_a_grey_modality_is_grey_and_one_of_colour_is_coloured(model: DomainModel) -> None:
    few, many, none = (np.array([share, 14.0]) for share in (0.005, 0.05, 0.0))
    assert float(model.wrong_colour(few, "CT")) == 0
    assert float(model.wrong_colour(many, "CT")) == 1
    assert float(model.unusual(many, "CT")) > float(model.unusual(none, "CT")) + 19
    section = replace(model, coloured=np.array([1, 0], dtype=np.float32))
    assert float(section.wrong_colour(none, "CT")) == 1
    assert float(section.wrong_colour(many, "CT")) == 0


def test_an_opinion_says_what_it_looks_like(model: DomainModel) -> None:
    said = model.opinion(np.array([0.0, 14.0]), "MR")
    assert said.looks_like == "CT"
    assert said.probability == pytest.approx(np.exp(2) / (np.exp(2) + np.exp(-2) + np.exp(-1)))
    assert said.distance == pytest.approx(3)
    assert said.unusual == pytest.approx(float(model.unusual(np.array([0.0, 14.0]), "MR")))


def test_it_is_written_and_read_and_written_the_same(model: DomainModel) -> None:
    content = model.to_bytes()
    again = DomainModel.from_bytes(content)
    assert again.kinds == model.kinds
    assert np.array_equal(again.whiten, model.whiten)
    assert again.to_bytes() == content


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_what_is_damaged_is_one_sentence(content: bytes) -> None:
    with pytest.raises(InputError, match="damaged; install them again"):
        DomainModel.from_bytes(content)


def test_an_archive_without_an_array_is_refused() -> None:
    out = io.BytesIO()
    np.savez_compressed(out, modalities=np.array(["CT"]), kinds=np.array(["CT"]))
    with pytest.raises(InputError, match="damaged"):
        DomainModel.from_bytes(out.getvalue())


def test_arrays_that_do_not_fit_together_are_refused(model: DomainModel) -> None:
    with pytest.raises(ValueError, match="weight of the domain check has shape"):
        replace(model, weight=np.zeros((3, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="centre of the domain check"):
        replace(model, centre=np.zeros((3, 1), dtype=np.float32))


def test_the_card_goes_to_json_and_back() -> None:
    card = DomainCard(
        threshold=-1.5, modalities=("CT",), kinds=("CT", "photograph"), statistics=130, declined={"good": 0.01}
    )
    assert DomainCard.from_json(card.to_json()) == card
