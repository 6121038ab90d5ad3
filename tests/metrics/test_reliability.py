"""Reliability, ECE and the Brier score, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrutiq.metrics.reliability import Bin, brier, ece, reliability, top_label

P = [0.1, 0.2, 0.3, 0.6, 0.8, 0.9]
Y = [0, 0, 1, 0, 1, 1]


def test_two_bins_by_hand():
    found = reliability(P, Y, bins=2, n_boot=0)
    # Lower three: mean 0.2, one event of three. Upper three: mean 23/30, two of three.
    assert [b.n for b in found.bins] == [3, 3]
    assert [b.confidence for b in found.bins] == pytest.approx([0.2, 2.3 / 3])
    assert [b.frequency for b in found.bins] == pytest.approx([1 / 3, 2 / 3])
    assert found.ece == pytest.approx((abs(1 / 3 - 0.2) + abs(2.3 / 3 - 2 / 3)) / 2)
    assert found.brier == pytest.approx((0.01 + 0.04 + 0.49 + 0.36 + 0.04 + 0.01) / 6)
    assert (found.ece_ci, found.brier_ci) == (None, None)


def test_unequal_bins_are_weighted_by_their_size():
    # Ties may not be torn apart: four 0.5 fall into one bin, one 0.9 into the other.
    found = reliability([0.5, 0.5, 0.9, 0.5, 0.5], [1, 0, 0, 1, 1], bins=2, n_boot=0)
    assert found.bins == (Bin(4, 0.5, 0.75), Bin(1, 0.9, 0.0))
    assert found.ece == pytest.approx(0.8 * 0.25 + 0.2 * 0.9)


def test_each_observation_has_a_bin_where_there_are_as_many():
    assert ece(P, Y, bins=6) == pytest.approx(np.abs(np.subtract(P, Y)).mean())
    assert ece(P, Y, bins=1) == pytest.approx(abs(np.mean(P) - 0.5))


def test_top_label_by_hand():
    p = [[0.7, 0.2, 0.1], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8]]
    confidence, correct = top_label(p, [0, 1, 2])
    assert confidence.tolist() == [0.7, 0.4, 0.8]
    assert correct.tolist() == [1, 0, 1]  # of equal ones the first
    assert ece(confidence, correct, bins=1) == pytest.approx(abs(1.9 / 3 - 2 / 3))


def test_brier_is_that_of_1950():
    assert brier([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], [0, 1]) == pytest.approx((0.14 + (0.01 + 0.81 + 0.64)) / 2)
    both = np.column_stack([1 - np.array(P), P])
    assert brier(both, Y) == pytest.approx(2 * reliability(P, Y, n_boot=0).brier)
    assert brier([[0.0, 1.0]], [0]) == 2


def test_interval_holds_the_estimate_and_clusters_widen_it():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(30), 20)
    p = rng.uniform(0.05, 0.95, 30)[group]
    y = (rng.uniform(size=30)[group] < p).astype(int)  # the slices of a patient say the same
    apart, together = reliability(p, y), reliability(p, y, clusters=group)
    assert (apart.n_clusters, together.n_clusters) == (600, 30)
    assert together.ece == apart.ece
    for found in (apart, together):
        assert found.ece_ci is not None
        assert found.ece_ci[0] <= found.ece <= found.ece_ci[1]
    assert np.ptp(together.brier_ci) > 1.5 * np.ptp(apart.brier_ci)
    assert reliability(p, y, clusters=group % 4).ece_ci is None  # too few to say


def test_interval_of_the_brier_score_covers_the_truth():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        p = rng.uniform(size=80)
        y = rng.uniform(size=80) < p
        low, high = reliability(p, y, n_boot=300).brier_ci
        held += low <= 1 / 6 <= high  # the mean of p (1 - p) over [0, 1]
    assert 0.88 <= held / 200 <= 0.99


def test_calibrated_is_near_zero_and_overconfident_is_not():
    rng = np.random.default_rng(2)
    p = rng.uniform(size=20000)
    y = rng.uniform(size=20000) < p
    assert ece(p, y) < 0.02
    sure = np.clip(p + 0.3 * np.sign(p - 0.5), 0, 1)
    assert ece(sure, y) > 0.15


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.integers(1, 12), st.randoms())
def test_order_does_not_matter_and_it_stays_in_range(rows, bins, random):
    value = ece(*zip(*rows, strict=True), bins=bins)
    assert 0 <= value <= 1
    random.shuffle(rows)
    assert ece(*zip(*rows, strict=True), bins=bins) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("p", "y"), [([], []), ([0.5], [0, 1]), ([1.2], [1]), ([np.nan], [1]), ([0.5], [2]), ([[0.5]], [[1]])]
)
def test_what_is_no_probability_is_refused(p, y):
    with pytest.raises(ValueError, match=r"probabilities"):
        reliability(p, y)


def test_what_is_no_distribution_is_refused():
    for p, k in [([[0.5, 0.6]], [0]), ([[0.5, 0.5]], [2]), ([[0.5, 0.5]], [0.0]), ([0.5], [0])]:
        with pytest.raises(ValueError, match=r"probabilities|labels"):
            brier(p, k)
    with pytest.raises(ValueError, match="bins"):
        reliability(P, Y, bins=0)
