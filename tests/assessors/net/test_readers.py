from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.assessors.net.look import look
from scrutiq.assessors.net.readers import FOREST, LINEAR, Linear, Readers, alone, beside, normalise, write

torch = pytest.importorskip("torch")

from scrutiq.training.net.reader_study import (  # noqa: E402
    fit_alone,
    fit_linear,
    leave_denoisers_out,
    leave_sets_out,
)
from scrutiq.training.net.trees import export_trees  # noqa: E402


def _study(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    values = rng.standard_normal((60, 8))
    scores = values @ rng.standard_normal((8, 3)) + [7, 3, 3]
    return values, scores, [f"set_{i // 6}" for i in range(60)], [f"m{i % 6}" for i in range(60)]


def test_ridge_is_that_of_the_normal_equations(rng: np.random.Generator) -> None:
    values, scores, *_ = _study(rng)
    linear = fit_linear(values, scores, 5.0)
    x = (values - values.mean(0)) / (values.std(0) + 1e-6)
    x = np.clip(x, -4, 4)
    x = x - x.mean(0)
    y = scores[:, 0] - scores[:, 0].mean()
    expected = np.linalg.solve(x.T @ x + 5.0 * np.eye(8), x.T @ y)
    np.testing.assert_allclose(linear.weight[:, 0], expected, rtol=1e-8)


def test_missing_ratings_are_left_out(rng: np.random.Generator) -> None:
    values, scores, *_ = _study(rng)
    missing = scores.copy()
    missing[::7, 1] = np.nan
    known = ~np.isnan(missing[:, 1])
    found = fit_linear(values, missing, 1e-6)(values)
    np.testing.assert_allclose(found[known, 1], scores[known, 1], atol=0.2)
    assert np.isfinite(found).all()


def ridge(values: np.ndarray, scores: np.ndarray) -> Linear:
    return fit_linear(values, scores, 1.0)


def test_what_is_left_out_is_not_seen(rng: np.random.Generator) -> None:
    values, scores, sets, methods = _study(rng)
    before = leave_sets_out(values, scores, sets, ridge)
    changed = scores.copy()
    changed[:6] += 100
    after = leave_sets_out(values, changed, sets, ridge)
    np.testing.assert_array_equal(after[:6], before[:6])
    assert not np.allclose(after[6:], before[6:])
    pairs = leave_denoisers_out(values, scores, methods, ridge)
    assert len(pairs) == 15
    out = pairs["m0", "m3"]
    assert np.isfinite(out[np.isin(methods, ["m0", "m3"])]).all()
    assert np.isnan(out[~np.isin(methods, ["m0", "m3"])]).all()


def test_maps_come_back_from_their_files_and_say_the_same(tmp_path: Path, rng: np.random.Generator) -> None:
    images = [rng.integers(0, 256, (96, 96)).astype(np.uint8) for _ in range(12)]
    images = [
        np.rint(ndimage.gaussian_filter(one.astype(float), k / 6)).astype(np.uint8) for k, one in enumerate(images)
    ]
    scores = rng.random((12, 3))
    own, compared = (
        np.array(found) for found in ([alone(i) for i in images], [beside(i, images[0], None) for i in images])
    )
    fitted, linear = fit_alone(own, scores), fit_linear(compared, scores, 1.0)
    write(tmp_path / LINEAR, {"alone": fitted.linear, "with_reference": linear})
    export_trees([fitted.forest], own.shape[1] // 2, tmp_path / FOREST)
    back = Readers.read(tmp_path)
    for k in (0, 5, 11):
        np.testing.assert_allclose(
            list(back.score(look(images[k]), None, None).values()), fitted(own[[k]])[0], atol=1e-5
        )
        said = back.score(look(images[k]), images[0], None)
        np.testing.assert_allclose(list(said.values()), linear(compared[k]), atol=1e-9)
        assert list(said) == ["noise", "contrast", "structure"]


def test_normalising_takes_scale_and_background_away(rng: np.random.Generator) -> None:
    image = np.zeros((96, 96))
    image[16:80, 16:80] = 80 + 30 * (np.arange(64) > 32)
    image[16:80, 16:80] += rng.standard_normal((64, 64))
    first = normalise(np.rint(image).astype(np.uint8))
    second = normalise(np.rint(np.clip(1.5 * image + 6, 0, 255)).astype(np.uint8))
    assert first[:8].max() == second[:8].max() == 0
    inside = (slice(20, 76), slice(20, 76))
    assert np.abs(first[inside].astype(float) - second[inside]).mean() < 4
