"""Weighted statistics against scipy on real resamples, and the coverage of the intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scrutiq.metrics.bootstrap import STATISTICS, cluster_index, draw, interval, statistics


def by_scipy(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    nan = float("nan")
    defined = len(x) >= 3 and np.ptp(x) > 0 and np.ptp(y) > 0
    out = {
        "plcc": stats.pearsonr(x, y)[0] if defined else nan,
        "srocc": stats.spearmanr(x, y)[0] if defined else nan,
        "krocc": stats.kendalltau(x, y)[0] if defined else nan,
        "rmse": np.sqrt(np.mean((x - y) ** 2)) if len(x) else nan,
        "mae": np.mean(np.abs(x - y)) if len(x) else nan,
    }
    return out | {"overall": out["plcc"] + out["srocc"] + out["krocc"]}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 25), n_values=st.integers(1, 12), n_clusters=st.integers(1, 25))
def test_a_resample_gives_what_scipy_gives_on_the_repeated_pairs(
    seed: int, n: int, n_values: int, n_clusters: int
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, n_values, (2, n)).astype(float)  # many ties
    index, found = cluster_index(rng.integers(0, n_clusters, n), n)
    counts = draw(found, 3, rng)
    result = statistics(x, y, index, counts)
    for b, row in enumerate(counts):
        again = np.repeat(np.arange(n), row[index].astype(int))
        expected = by_scipy(x[again], y[again])
        for name in STATISTICS:
            assert result[name][b] == pytest.approx(expected[name], abs=1e-9, nan_ok=True), name


def test_many_pairs_are_worked_through_in_blocks(rng: np.random.Generator) -> None:
    x = rng.normal(size=5000).round(1)
    y = (x + rng.normal(size=5000)).round(1)
    index, n_clusters = cluster_index(rng.integers(0, 40, 5000), 5000)
    counts = np.concatenate([np.ones((1, n_clusters)), draw(n_clusters, 900, rng)])  # more than one chunk, too
    result = statistics(x, y, index, counts)
    for b in (0, 1, 900):
        again = np.repeat(np.arange(5000), counts[b][index].astype(int))
        expected = by_scipy(x[again], y[again])
        for name in STATISTICS:
            assert result[name][b] == pytest.approx(expected[name], abs=1e-9), name


@pytest.mark.parametrize("scale", [1e-150, 1e-6, 1.0, 1e150])
def test_magnitude_and_offset_do_not_matter_to_correlations(scale: float, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(2, 50))
    index, one = np.arange(50), np.ones((1, 50))
    names = ["plcc", "srocc", "krocc"]
    plain, scaled = statistics(x, y, index, one, names), statistics(x * scale, y, index, one, names)
    for name in names:
        assert scaled[name] == pytest.approx(plain[name], abs=1e-9)
    assert statistics(x + 1e6, y, index, one, ["plcc"])["plcc"] == pytest.approx(plain["plcc"], abs=1e-7)


def test_clusters_are_numbered_by_first_appearance() -> None:
    index, n = cluster_index(["b", "a", "b", "c"], 4)
    assert index.tolist() == [0, 1, 0, 2]
    assert n == 3
    with pytest.raises(ValueError, match="4 observations and 2 cluster labels"):
        cluster_index(["a", "b"], 4)


def test_draw_takes_as_many_clusters_as_there_are(rng: np.random.Generator) -> None:
    counts = draw(7, 400, rng)
    assert counts.shape == (400, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.2)


def test_interval_widens_with_fewer_clusters_and_contains_the_estimate(rng: np.random.Generator) -> None:
    replicates = rng.normal(size=20_000)
    few, many = interval(0.0, replicates, 10, 0.95), interval(0.0, replicates, 10_000, 0.95)
    assert few is not None
    assert many is not None
    assert many == pytest.approx((-1.96, 1.96), abs=0.06)
    t = stats.t.ppf(0.975, 9) * np.sqrt(10 / 9)
    assert few == pytest.approx((-t, t), abs=0.15)
    assert interval(9.0, replicates, 100, 0.95)[1] == 9.0  # type: ignore[index]


def test_interval_is_refused_where_many_resamples_are_undefined() -> None:
    replicates = np.linspace(0, 1, 100)
    replicates[:6] = np.nan
    assert interval(0.5, replicates, 50, 0.95) is None
    replicates[:6] = [0, 0, np.nan, np.nan, np.nan, np.nan]
    assert interval(0.5, replicates, 50, 0.95) is not None
    assert interval(0.5, np.full(10, np.nan), 50, 0.95) is None


def coverage(clustered: bool, per_cluster: int, studies: int) -> dict[str, float]:
    """Share of simulated studies whose interval holds the truth: 30 patients, slices share half of the variance."""
    rho, shared, patients = 0.8, 0.5, 30
    rng = np.random.default_rng(5)
    truth = {
        "plcc": rho,
        "srocc": 6 / np.pi * np.arcsin(rho / 2),
        "krocc": 2 / np.pi * np.arcsin(rho),
        "rmse": np.sqrt(2 - 2 * rho),
        "mae": np.sqrt(2 - 2 * rho) * np.sqrt(2 / np.pi),
    }
    matrix = np.array([[1, rho], [rho, 1]])
    hits = dict.fromkeys(truth, 0)
    for _ in range(studies):
        patient = rng.multivariate_normal([0, 0], shared * matrix, size=patients).repeat(per_cluster, axis=0)
        x, y = (patient + rng.multivariate_normal([0, 0], (1 - shared) * matrix, size=len(patient))).T
        index, n = cluster_index(np.arange(len(x)) // per_cluster if clustered else None, len(x))
        estimate = statistics(x, y, index, np.ones((1, n)))
        replicates = statistics(x, y, index, draw(n, 200, rng))
        for name, value in truth.items():
            low, high = interval(estimate[name][0], replicates[name], n, 0.95)  # type: ignore[misc]
            hits[name] += low <= value <= high
    return {name: count / studies for name, count in hits.items()}


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    # 250 studies: a true coverage of 0.95 is counted within 0.95 +- 0.04 (3 standard errors). The interval of the RMSE
    # is known to be a little too narrow (bench/interval_coverage.py: 0.93 in this design with more resamples).
    for name, share in coverage(clustered=True, per_cluster=3, studies=250).items():
        assert (0.85 if name == "rmse" else 0.90) <= share <= 0.99, (name, share)


def test_forgetting_the_clusters_would_cover_too_rarely() -> None:
    found = coverage(clustered=False, per_cluster=8, studies=100)
    assert found["plcc"] < 0.85
    assert found["rmse"] < 0.85
