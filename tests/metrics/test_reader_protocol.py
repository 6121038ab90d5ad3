"""The protocol of the reader study: hand-counted studies, SciPy, and simulated judges whose worth is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr

from scrutiq.metrics.reader_protocol import Design, less_denoiser, lookup, ordering, others, rank_agreement

DENOISERS = tuple("abcdef")


def grid(sets: int, denoisers: tuple[str, ...] = DENOISERS, regions: tuple[str, ...] = ("head",)) -> Design:
    rows = [(r, str(s), d) for r in regions for s in range(sets) for d in denoisers]
    return Design(*zip(*rows, strict=True))


def test_lookup_by_hand():
    design = Design(["x"] * 5 + ["y"], list("123121"), list("aaabba"))
    scores = np.array([[1, np.nan], [2, 5], [6, 7], [10, 1], [20, 2], [99, 99]])
    found = lookup(design, scores)
    np.testing.assert_equal(
        found,
        [[4, 6], [3.5, 7], [1.5, 5], [20, 2], [10, 1], [np.nan, np.nan]],  # y has no other set
    )
    np.testing.assert_equal(less_denoiser(design, scores), scores - found)


def test_the_mean_of_the_others_by_hand():
    ratings = np.array([[[1], [np.nan]], [[3], [np.nan]], [[8], [4]]])
    np.testing.assert_equal(others(ratings), [[[5.5], [4]], [[4.5], [4]], [[2], [np.nan]]])
    with pytest.raises(ValueError, match="two readers"):
        others(ratings[:1])


def test_rank_agreement_is_spearman_within_a_region_and_leaves_out_what_is_missing():
    design = grid(8, regions=("head", "abdomen"))
    rng = np.random.default_rng(0)
    scores = rng.integers(1, 6, (96, 2)).astype(float)
    said = scores + rng.normal(size=scores.shape)
    scores[3, 0] = said[50, 1] = np.nan
    found = rank_agreement(design, said, scores)
    assert list(found) == ["head", "abdomen"]
    for rows, figures in zip((slice(48), slice(48, None)), found.values(), strict=True):
        for column, figure in enumerate(figures):
            expected = spearmanr(said[rows, column], scores[rows, column], nan_policy="omit").statistic
            assert figure.value == pytest.approx(expected, abs=1e-12)
            assert figure.low < figure.value < figure.high
    turned = rank_agreement(design, -said, scores)
    assert turned["head"][0].value == pytest.approx(-found["head"][0].value)


def test_several_readers_give_their_mean():
    design = grid(6)
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(36, 1))
    ratings = truth + rng.normal(size=(3, 36, 1))
    rest = others(ratings)
    alone = [rank_agreement(design, a, b)["head"][0].value for a, b in zip(ratings, rest, strict=True)]
    assert rank_agreement(design, ratings, rest)["head"][0].value == pytest.approx(np.mean(alone))
    alone = [ordering(design, a, b).mean.value for a, b in zip(ratings, rest, strict=True)]
    assert ordering(design, ratings, rest).mean.value == pytest.approx(np.mean(alone))


def test_what_recognises_the_denoiser_keeps_nothing_once_its_mean_is_subtracted():
    """A judge that knows the denoiser alone, and one that sees the image too."""
    design = grid(40)
    rng = np.random.default_rng(2)
    level = dict(zip(DENOISERS, range(6), strict=True))
    of_denoiser = np.array([[3.0 * level[d]] for d in design.denoiser])
    of_image = rng.normal(size=(240, 1))
    scores = of_denoiser + of_image
    shortcut = of_denoiser + 0.01 * rng.normal(size=(240, 1))
    assert rank_agreement(design, shortcut, scores)["head"][0].value > 0.9
    left = less_denoiser(design, scores)
    low, high = rank_agreement(design, less_denoiser(design, shortcut), left)["head"][0][1:]
    assert low < 0 < high
    assert rank_agreement(design, less_denoiser(design, scores + 0.1), left)["head"][0].value == pytest.approx(1)
    assert rank_agreement(design, less_denoiser(design, of_denoiser + of_image / 2), left)["head"][0].low > 0.9


def test_ordering_by_hand():
    design = grid(2, tuple("abc"))
    scores = np.array([[1], [2], [3], [1], [1], [np.nan]])
    said = np.array([[1], [0], [0], [5], [4], [3]])
    # Set 0: a < b said otherwise, a < c said otherwise, b < c said equal: a half. Set 1: a tie, two without a score.
    found = ordering(design, said, scores)
    assert found.by_region["head"][0].value == found.mean.value == pytest.approx(0.5 / 3)
    # Sums of thirds that are equal on paper are ties.
    thirds = ordering(grid(1, tuple("abc")), [[0], [1], [2]], [[0.1 + 0.2], [0.3], [1.0]])
    assert thirds.mean.value == 1.0


def test_ordering_reads_each_pair_from_its_own_predictions():
    design = grid(3)
    scores = np.array([[float(DENOISERS.index(d))] for d in design.denoiser])
    pairs = {}
    for a, b in itertools.combinations(DENOISERS, 2):
        mine = np.isin(design.denoiser, (a, b))[:, None]
        pairs[a, b] = np.where(mine, scores if a != "a" else -scores, np.nan)  # the five pairs of a are turned
    assert ordering(design, pairs, scores).mean.value == pytest.approx(10 / 15)
    del pairs["b", "c"]
    with pytest.raises(ValueError, match="'b', 'c'"):
        ordering(design, pairs, scores)


def test_a_constant_orders_half_and_the_interval_over_denoisers_covers():
    design = grid(5)
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(30, 2))
    flat = ordering(design, np.zeros((30, 2)), scores)
    assert flat.mean == (0.5, 0.5, 0.5)
    # Forty judges that toss a coin a denoiser: an interval over denoisers has to hold a half for most of them.
    held = []
    for _ in range(40):
        coin = rng.normal(size=(6, 1)) + 0.1 * rng.normal(size=(5, 6, 1))
        merit = rng.normal(size=(6, 1)) + 0.1 * rng.normal(size=(5, 6, 1))
        figure = ordering(design, coin.reshape(30, 1), merit.reshape(30, 1), n_boot=400).mean
        held.append(figure.low <= 0.5 <= figure.high)
    assert np.mean(held) > 0.85


def test_what_does_not_fit_is_refused():
    design = grid(2)
    with pytest.raises(ValueError, match="lengths are equal"):
        Design(["x"], ["1", "2"], ["a"])
    with pytest.raises(ValueError, match="shape"):
        lookup(design, np.zeros((11, 1)))
    with pytest.raises(ValueError, match="one shape"):
        rank_agreement(design, np.zeros((12, 1)), np.zeros((12, 2)))
    twice = Design(["x"] * 3, ["1"] * 3, ["a", "a", "b"])
    with pytest.raises(ValueError, match="two images of one denoiser"):
        ordering(twice, np.zeros((3, 1)), np.zeros((3, 1)))
