"""Conformal quantiles against hand-counted ranks, and their coverage on simulated exchangeable data."""

from __future__ import annotations

import numpy as np
import pytest

from scrutiq.metrics.conformal import constant_width, coverage, group_quantile, normalised, quantile


def test_ranks_by_hand():
    scores = [5, 1, 4, 2, 3, 9, 7, 8, 6]
    assert quantile(scores, 0.9) == 9  # the 9th of 9
    assert quantile(scores, 0.5) == 5
    assert quantile(scores, 0.81) == 9  # 8.1 is rounded up
    assert quantile(scores, 0.8) == 8  # and 10 * 0.8 is 8, not a little more
    assert quantile(scores, 0.91) == np.inf
    assert quantile([], 0.5) == np.inf
    assert constant_width([-5, 1, -4, 2, 3, 9, -7, 8, 6], 0.9) == 9


def test_a_group_counts_once_however_large():
    scores = [1, 1, 1, 1, 2, 3, 4]
    groups = list("aaaabcd")
    # Four groups and infinity have a fifth each: a fifth at 1, 2, 3, 4.
    assert [group_quantile(scores, groups, c) for c in (0.2, 0.21, 0.6, 0.8)] == [1, 2, 3, 4]
    assert group_quantile(scores, groups, 0.81) == np.inf
    assert quantile(scores, 0.6) == 2  # five of seven at 2 or below


def test_groups_of_one_are_no_groups():
    scores = np.random.default_rng(0).uniform(size=37)
    for c in (0.1, 0.5, 0.9, 0.97):
        assert group_quantile(scores, range(37), c) == quantile(scores, c)


def test_split_conformal_covers_in_finite_samples():
    rng = np.random.default_rng(0)
    n, trials = 19, 4000
    residuals = np.abs(rng.standard_t(3, size=(trials, n + 1)))
    held = [new <= quantile(old, 0.9) for *old, new in residuals]
    # Of 19 scores never equal it is exactly 18 of 20.
    assert np.mean(held) == pytest.approx(0.9, abs=0.015)


def test_a_new_patient_is_covered_where_slices_are_not_independent():
    rng = np.random.default_rng(1)
    trials, groups, size = 3000, 9, 10
    by_groups, pooled = [], []
    for _ in range(trials):
        centre = rng.normal(0, 1, groups + 1)
        scores = np.abs(centre[:-1, None] + rng.normal(0, 0.1, (groups, size))).ravel()
        new = abs(centre[-1] + rng.normal(0, 0.1))
        label = np.repeat(np.arange(groups), size)
        by_groups.append(new <= group_quantile(scores, label, 0.85))
        pooled.append(new <= quantile(scores, 0.85))
    assert np.mean(by_groups) >= 0.85 - 0.012
    assert np.mean(pooled) < 0.83  # what counting slices as patients costs


def test_unequal_groups_are_covered_too():
    rng = np.random.default_rng(2)
    held = []
    for _ in range(3000):
        sizes = rng.choice([1, 12], size=15)
        label = np.repeat(np.arange(15), sizes)
        scores = np.abs(rng.normal(0, 1, 15)[label] + rng.normal(0, 0.3, len(label)))
        held.append(abs(rng.normal(0, 1) + rng.normal(0, 0.3)) <= group_quantile(scores, label, 0.9))
    assert np.mean(held) >= 0.9 - 0.012


def test_leave_one_out_residuals_of_a_stable_model_cover_nearly():
    rng = np.random.default_rng(3)
    held = []
    for _ in range(1500):
        x, y = rng.normal(size=31), np.zeros(31)
        y = 2 * x + rng.normal(size=31)
        design = np.column_stack([np.ones(30), x[:-1]])
        hat = design @ np.linalg.pinv(design)
        residuals = (y[:-1] - hat @ y[:-1]) / (1 - np.diag(hat))  # leave-one-out, exactly
        fit = np.linalg.pinv(design) @ y[:-1]
        held.append(abs(y[-1] - fit @ [1, x[-1]]) <= constant_width(residuals, 0.9))
    assert np.mean(held) == pytest.approx(0.9, abs=0.025)


def test_normalised_widths_follow_the_spread_and_keep_the_coverage():
    rng = np.random.default_rng(4)
    spread = rng.choice([0.2, 2.0], size=4000)
    residuals = rng.normal(0, spread)
    half = normalised(residuals[:2000], 3 * spread[:2000], 0.9) * 3 * spread[2000:]
    flat = constant_width(residuals[:2000], 0.9)
    adaptive = coverage(residuals[2000:], -half, half)
    constant = coverage(residuals[2000:], np.full(2000, -flat), np.full(2000, flat))
    assert adaptive.coverage == pytest.approx(0.9, abs=0.03)
    assert constant.coverage == pytest.approx(0.9, abs=0.03)
    assert adaptive.coverage_ci[0] < 0.9 < adaptive.coverage_ci[1]
    # Half the images have the small spread, half the large: a constant width is right for neither.
    assert np.sort(half)[500] < 0.3 * flat


def test_coverage_and_width_by_hand():
    found = coverage([1, 2, 3, 4], [0, 2, 4, 0], [1, 2, 5, 9], n_boot=0)
    assert (found.coverage, found.median_width) == (0.75, 1.0)
    assert (found.n, found.coverage_ci) == (4, None)
    assert coverage([0, 0], [0, 0], [1, 2], n_boot=0).median_width == 1.5
    assert coverage([0, 0, 0], [0, -1, 0], [1, 2, np.inf], n_boot=0).median_width == 3


def test_coverage_interval_counts_patients():
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(20), 15)
    truth = rng.normal(0, 1, 20)[group] + rng.normal(0, 0.2, len(group))
    apart = coverage(truth, np.full(300, -1.3), np.full(300, 1.3))
    together = coverage(truth, np.full(300, -1.3), np.full(300, 1.3), clusters=group)
    assert together.n_clusters == 20
    assert np.ptp(together.coverage_ci) > 2 * np.ptp(apart.coverage_ci)
    assert together.coverage_ci[0] <= together.coverage <= together.coverage_ci[1]
    assert together.median_width_ci is None  # all are 2.6 wide


def test_resampling_what_always_held_says_nothing():
    found = coverage(np.zeros(50), -np.arange(1.0, 51), np.ones(50))
    assert (found.coverage, found.coverage_ci) == (1.0, None)
    assert found.median_width_ci[0] < found.median_width < found.median_width_ci[1]


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="coverage"):
        quantile([1, 2], 1.0)
    with pytest.raises(ValueError, match="finite"):
        quantile([1, np.nan], 0.5)
    with pytest.raises(ValueError, match="labels"):
        group_quantile([1, 2], ["a"], 0.5)
    with pytest.raises(ValueError, match="spread"):
        normalised([1, 2], [1, 0], 0.5)
    for t, a, b in [([], [], []), ([1], [2], [1]), ([np.nan], [0], [1]), ([1, 2], [0], [1])]:
        with pytest.raises(ValueError, match="low"):
            coverage(t, a, b)
