"""Agreement, the comparison of predictors, and what happens where nothing can be computed."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from scrutiq.metrics.agreement import (
    Agreement,
    agree,
    holm,
    krocc,
    mae,
    plcc,
    rmse,
    srocc,
    srocc_difference,
    williams,
)

CORRELATIONS = ("plcc", "srocc", "krocc", "overall")


def test_a_case_worked_by_hand() -> None:
    pred, truth = [1, 2, 3, 4, 5], [2, 1, 4, 3, 5]
    assert plcc(pred, truth) == pytest.approx(0.8)
    assert srocc(pred, truth) == pytest.approx(1 - 6 * 4 / (5 * 24))
    assert krocc(pred, truth) == pytest.approx((8 - 2) / 10)
    assert rmse(pred, truth) == pytest.approx(math.sqrt(4 / 5))
    assert mae(pred, truth) == pytest.approx(4 / 5)
    # tau-b with ties, by hand: 4 concordant, 0 discordant, 1 tie in x, 1 tie in y
    assert krocc([1, 1, 2, 3], [1, 2, 3, 3]) == pytest.approx(4 / math.sqrt(5 * 5))


def test_agree_gives_the_same_figures_and_intervals_that_hold_them(rng: np.random.Generator) -> None:
    truth = rng.normal(size=80)
    pred = truth + rng.normal(0, 0.5, 80)
    result = agree(pred, truth)
    assert result.n == result.n_clusters == 80
    assert result.plcc == plcc(pred, truth)
    assert result.overall == pytest.approx(result.plcc + result.srocc + result.krocc)  # type: ignore[operator]
    for name, bounds in result.ci.items():
        assert bounds is not None
        low, high = bounds
        assert low < getattr(result, name) < high
    assert list(result.ci) == ["plcc", "srocc", "krocc", "overall", "rmse", "mae"]
    assert result.notes == ()
    # Fisher's z as an independent yardstick of the width
    z = np.tanh(np.arctanh(result.plcc) + np.array([-1, 1]) * 1.96 / np.sqrt(77))
    assert result.ci["plcc"] == pytest.approx(tuple(z), abs=0.04)


def test_json_goes_out_and_comes_back(rng: np.random.Generator) -> None:
    result = agree(rng.normal(size=30), rng.normal(size=30), n_boot=50)
    assert Agreement.from_json(result.to_json()) == result


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(2, 40))
    assert agree(x, y, seed=3).to_json() == agree(x, y, seed=3).to_json()
    assert agree(x, y, seed=3).ci != agree(x, y, seed=4).ci


def test_clusters_widen_the_interval(rng: np.random.Generator) -> None:
    patient = rng.normal(size=(40, 2)).repeat(10, axis=0)
    x, y = (patient + 0.1 * rng.normal(size=patient.shape)).T
    labels = np.arange(400) // 10
    alone, together = agree(x, y), agree(x, y, clusters=[f"patient {k}" for k in labels])
    assert together.n_clusters == 40
    assert together.plcc == alone.plcc
    low, high = together.ci["plcc"]  # type: ignore[misc]
    narrow_low, narrow_high = alone.ci["plcc"]  # type: ignore[misc]
    assert high - low > 2 * (narrow_high - narrow_low)


def test_missing_values_are_left_out_and_counted() -> None:
    pred = [1, 2, 3, 4, np.nan, 6, np.inf]
    truth = [1, 2, 4, 3, 5, np.nan, 7]
    result = agree(pred, truth, clusters=list("abcdefg"))
    assert (result.n, result.missing, result.n_clusters) == (4, 3, 4)
    assert result.srocc == srocc([1, 2, 3, 4], [1, 2, 4, 3]) == srocc(pred, truth)


@pytest.mark.parametrize(
    ("pred", "truth", "reason"),
    [
        ([], [], "0 pairs"),
        ([1.0], [2.0], "1 pairs"),
        ([1, 2], [2, 1], "2 pairs"),
        ([3, 3, 3, 3], [1, 2, 3, 4], "predictions are all equal"),
        ([1, 2, 3, 4], [5, 5, 5, 5], "true scores are all equal"),
        ([1, 1, 1], [5, 5, 5], "predictions and the true scores are all equal"),
    ],
)
def test_what_is_undefined_is_none_with_a_reason(pred: list[float], truth: list[float], reason: str) -> None:
    result = agree(pred, truth)
    for name in CORRELATIONS:
        assert getattr(result, name) is None
        assert result.ci[name] is None
    assert any(reason in note for note in result.notes)
    assert plcc(pred, truth) is srocc(pred, truth) is krocc(pred, truth) is None
    assert (result.rmse is None) == (not pred)
    assert "NaN" not in result.to_json()


def test_few_clusters_are_named(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(2, 40))
    assert any("likely too narrow" in note for note in agree(x, y, clusters=np.arange(40) % 8).notes)
    few = agree(x, y, clusters=np.arange(40) % 4)
    assert set(few.ci.values()) == {None}
    assert any("at least 5 are needed" in note for note in few.notes)


def test_almost_constant_truth_gives_no_interval_for_correlations(rng: np.random.Generator) -> None:
    truth = np.zeros(30)
    truth[7] = 1
    result = agree(rng.normal(size=30), truth)
    assert result.srocc is not None
    assert result.ci["srocc"] is None  # a third of the resamples do not hold the one case that differs
    assert result.ci["rmse"] is not None
    assert any("undefined in more than one resample" in note for note in result.notes)


def test_refuses_lengths_levels_and_shapes() -> None:
    with pytest.raises(ValueError, match="same length"):
        agree([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="between 0 and 1"):
        agree([1, 2, 3], [1, 2, 3], level=95)
    with pytest.raises(ValueError, match="not negative"):
        agree([1, 2, 3], [1, 2, 3], n_boot=-1)
    with pytest.raises(ValueError, match="cluster labels"):
        agree([1, 2, 3], [1, 2, 3], clusters=["a"])


def test_plcc_logistic_straightens_a_saturating_relation(rng: np.random.Generator) -> None:
    pred = rng.uniform(-4, 4, 300)
    for sign in (1, -1):
        truth = 3 + sign * 2 / (1 + np.exp(-3 * pred)) + rng.normal(0, 0.02, 300)
        result = agree(pred, truth, n_boot=0)
        assert abs(result.plcc) < 0.95  # type: ignore[arg-type]
        assert result.plcc_logistic > 0.995  # type: ignore[operator]


def test_plcc_logistic_is_not_fitted_on_what_it_predicts() -> None:
    rng = np.random.default_rng(1)
    values = []
    for _ in range(30):
        value = agree(rng.normal(size=30), rng.normal(size=30), n_boot=0).plcc_logistic
        if value is not None:
            values.append(value)
    assert len(values) > 20
    assert np.mean(values) < 0.05  # fitted on the same data it would be about 0.3


def test_plcc_logistic_keeps_a_cluster_in_one_fold(rng: np.random.Generator) -> None:
    # Within a patient all values are equal: what is learned of a patient elsewhere would give it away.
    x, y = rng.normal(size=(2, 12)).repeat(10, axis=1)
    whole = agree(x, y, clusters=np.repeat(np.arange(12), 10), n_boot=0).plcc_logistic
    split = agree(x, y, n_boot=0).plcc_logistic
    assert split is not None
    assert whole is None or whole < split


def test_plcc_logistic_says_why_it_is_missing() -> None:
    result = agree(range(10), range(10))
    assert result.plcc_logistic is None
    assert any("at least 20 pairs" in note for note in result.notes)


def test_williams_is_antisymmetric_and_falls_with_n() -> None:
    ahead, behind = williams(0.7, 0.5, 0.6, 50), williams(0.5, 0.7, 0.6, 50)
    assert ahead.t == pytest.approx(-behind.t)
    assert ahead.t > 0
    assert ahead.p == pytest.approx(behind.p)
    assert ahead.df == 47
    assert williams(0.7, 0.5, 0.6, 500).p < ahead.p
    assert williams(0.5, 0.5, 0.3, 50).p == 1


def test_williams_follows_the_printed_formula() -> None:
    # r12 = .5, r13 = .3, r23 = .4, n = 103: |R| = 1 - .25 - .09 - .16 + .12 = .62, mean r = .4
    t = 0.2 * math.sqrt(102 * 1.4 / (2 * 102 / 100 * 0.62 + 0.16 * 0.6**3))
    assert williams(0.5, 0.3, 0.4, 103).t == pytest.approx(t)
    assert williams(0.5, 0.3, 0.4, 103).p == pytest.approx(2 * stats.t.sf(t, 100))


def test_williams_rejects_five_in_a_hundred_under_the_null() -> None:
    rng = np.random.default_rng(11)
    covariance = [[1, 0.6, 0.6], [0.6, 1, 0.5], [0.6, 0.5, 1]]
    data = rng.multivariate_normal([0, 0, 0], covariance, size=(4000, 25))
    p = []
    for sample in data:
        r = np.corrcoef(sample.T)
        p.append(williams(r[0, 1], r[0, 2], r[1, 2], 25).p)
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize("bad", [(0.5, 0.5, 0.5, 3), (1.0, 0.5, 0.5, 20), (0.9, -0.9, 0.9, 20), (math.nan, 0, 0, 20)])
def test_williams_refuses_what_cannot_be(bad: tuple[float, float, float, int]) -> None:
    with pytest.raises(ValueError, match=r"Williams|cannot occur"):
        williams(*bad)


def test_holm_on_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]).tolist() == []
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([0.2, math.nan])


def test_srocc_difference_sees_a_better_predictor(rng: np.random.Generator) -> None:
    truth = rng.normal(size=150)
    good, poor = truth + rng.normal(0, 0.3, 150), truth + rng.normal(0, 2, 150)
    result = srocc_difference(good, poor, truth)
    assert result.srocc_a == srocc(good, truth)
    assert result.difference == pytest.approx(srocc(good, truth) - srocc(poor, truth))  # type: ignore[operator]
    assert result.ci is not None
    assert 0 < result.ci[0] < result.difference < result.ci[1]  # type: ignore[operator]
    assert result.p < 0.01  # type: ignore[operator]
    turned = srocc_difference(poor, good, truth)
    assert turned.ci == pytest.approx((-result.ci[1], -result.ci[0]))
    assert turned.p == result.p


def test_srocc_difference_of_a_predictor_and_itself_is_nothing(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(2, 60))
    same = srocc_difference(x, 2 * x + 1, y)
    assert (same.difference, same.ci, same.p) == (0, (0, 0), 1)


def test_srocc_difference_rarely_finds_what_is_not_there() -> None:
    rng = np.random.default_rng(2)
    p = []
    for _ in range(200):
        truth = rng.normal(size=40)
        a, b = (truth + rng.normal(size=40) for _ in range(2))
        p.append(srocc_difference(a, b, truth, n_boot=200).p)
    assert np.mean(np.array(p) < 0.05) < 0.11


def test_srocc_difference_uses_the_cases_that_both_have() -> None:
    result = srocc_difference([1, 2, 3, np.nan], [1, np.nan, 2, 3], [1, 2, 3, 4])
    assert result.n == 2
    assert (result.difference, result.ci, result.p) == (None, None, None)


def test_importing_it_does_not_load_scipy_stats() -> None:
    code = "import scrutiq.metrics.agreement, scrutiq.metrics.tables, sys; sys.exit('scipy' in ' '.join(sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)
