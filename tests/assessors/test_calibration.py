"""A site's scale: what is fitted, whether it is honest about the gain, and what it makes of an assessment."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrutiq import rubrics
from scrutiq.assessors.calibration import Calibration, Scale, read_calibration
from scrutiq.assessors.site_scale import fit_scale
from scrutiq.core import Assessment, Evidence, Finding, InputError, Measurement, Provenance, Role, Severity, UsageError

RUBRIC = rubrics.load("ct-denoising")
NOISE, CONTRAST = RUBRIC.dimension("noise"), RUBRIC.dimension("contrast")


def _site(n: int, seed: int, bend, sd: float = 0.5) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(3, 12, n)
    return x.tolist(), np.clip(bend(x) + rng.normal(0, sd, n), 1, 14).tolist()


def _fit(n: int = 40, seed: int = 0, bend=lambda x: x - 2, **options) -> Scale:
    return fit_scale(*_site(n, seed, bend), NOISE, **options)


class TestFit:
    def test_a_site_that_is_stricter_throughout(self):
        found = _fit()
        assert (found.fitted, found.applied, found.helped) == ("shift", "shift", True)
        assert found.map(9, NOISE) == pytest.approx(7, abs=0.3)
        assert found.before.mae == pytest.approx(2, abs=0.3)
        assert found.after.mae == pytest.approx(0.5 * np.sqrt(2 / np.pi), abs=0.15)
        assert found.gain == pytest.approx(found.before.mae - found.after.mae)
        assert 0 < found.gain_ci[0] < found.gain < found.gain_ci[1]

    def test_a_site_that_uses_less_of_the_scale(self):
        found = _fit(bend=lambda x: 5 + x / 2)
        assert (found.fitted, found.helped) == ("affine", True)
        assert found.map(10, NOISE) - found.map(6, NOISE) == pytest.approx(2, abs=0.4)

    def test_a_site_that_bends_the_scale(self):
        found = _fit(bend=lambda x: np.where(x < 6, 2, np.where(x < 9, 2 + 3.3 * (x - 6), 12)))
        assert (found.fitted, found.helped) == ("monotone", True)
        assert found.after.mae < 0.5 * found.before.mae
        assert found.map(4, NOISE) == pytest.approx(2, abs=0.6)
        assert found.map(11, NOISE) == pytest.approx(12, abs=0.6)

    def test_what_agrees_already_is_left_alone_and_said_so(self):
        found = _fit(bend=lambda x: x)
        assert (found.applied, found.helped) == ("identity", False)
        assert found.knots == ((1, 1), (14, 14))
        assert "scores are left as they are" in found.verdict
        assert found.sd == pytest.approx(found.before.rmse)
        kept = _fit(bend=lambda x: x, keep=True)
        assert (kept.applied, kept.helped) == (kept.fitted, False)
        assert "kept all the same" in kept.verdict
        assert kept.sd == pytest.approx(kept.after.rmse)

    def test_it_seldom_claims_to_help_where_it_cannot(self):
        claims = [_fit(n=20, seed=seed, bend=lambda x: x).helped for seed in range(30)]
        assert sum(claims) <= 3

    def test_scores_that_fall_are_not_turned_round(self):
        found = _fit(bend=lambda x: 15 - x)
        assert (found.applied, found.helped) == ("identity", False)
        assert "do not rise with the ratings" in found.verdict
        assert found.before.srocc < -0.9

    def test_a_constant_map_is_no_help_though_its_error_is_lower(self):
        x = np.random.default_rng(0).uniform(1, 14, 40)
        found = fit_scale(x, 7 - 0.02 * (x - 7), NOISE)
        assert found.after.mae < found.before.mae
        assert not found.helped

    def test_intervals_hold_nine_new_ratings_in_ten(self):
        held = []
        for seed in range(40):
            x, y = _site(60, seed, lambda x: x - 2)
            found = fit_scale(x[:25], y[:25], NOISE, keep=True)
            held += [abs(found.map(a, NOISE) - b) <= found.half_width for a, b in zip(x[25:], y[25:], strict=True)]
        assert 0.87 <= np.mean(held) <= 0.95

    def test_groups_are_kept_together(self):
        rng = np.random.default_rng(1)
        group = np.repeat(np.arange(12), 4)
        x = rng.uniform(3, 12, 48)
        y = np.clip(x - 1 + rng.normal(0, 1.2, 12)[group], 1, 14)
        apart, together = fit_scale(x, y, NOISE), fit_scale(x, y, NOISE, groups=group)
        assert (apart.n_groups, together.n_groups) == (48, 12)
        assert np.ptp(together.gain_ci) > 1.3 * np.ptp(apart.gain_ci)
        few = fit_scale(x, y, NOISE, groups=group % 6)
        assert few.half_width is None  # six groups cannot promise nine in ten

    def test_the_same_seed_gives_the_same(self):
        assert _fit(seed=3) == _fit(seed=3)
        assert _fit(seed=3).gain_ci != fit_scale(*_site(40, 3, lambda x: x - 2), NOISE, seed=1).gain_ci

    def test_equal_scores_are_no_obstacle(self):
        found = fit_scale([7.0] * 12, [5.0, 6.0] * 6, NOISE)
        assert found.map(7, NOISE) == pytest.approx(5.5)
        assert found.after.srocc is None or found.after.srocc <= 0

    @pytest.mark.parametrize(
        ("x", "y", "groups"),
        [
            ([7] * 9, [7] * 9, None),
            ([7] * 10, [7] * 9, None),
            ([7] * 10, [15] * 10, None),
            ([7] * 10, [7] * 10, "aabbccddcc"),
        ],
    )
    def test_too_few_or_outside_is_refused(self, x, y, groups):
        with pytest.raises(ValueError, match=r"rating|groups"):
            fit_scale(x, y, NOISE, groups=groups)

    @given(st.lists(st.tuples(st.floats(1, 5), st.floats(1, 5)), min_size=10, max_size=14))
    def test_no_map_ever_falls_or_leaves_the_scale(self, rows):
        x, y = zip(*rows, strict=True)
        found = fit_scale(x, y, CONTRAST, keep=True)
        mapped = [found.map(v, CONTRAST) for v in np.linspace(1, 5, 41)]
        assert all(b >= a - 1e-9 for a, b in pairwise(mapped))
        assert min(mapped) >= 1
        assert max(mapped) <= 5


@pytest.fixture(scope="module")
def site() -> Calibration:
    return Calibration(
        assessor="net:base",
        model_hash="f" * 64,
        rubric=RUBRIC.name,
        rubric_hash=RUBRIC.hash,
        roles=(),
        scrutiq="0",
        coverage=0.9,
        level=0.95,
        folds=10,
        seed=0,
        dimensions={
            "noise": _fit(),
            "contrast": fit_scale([1.5, 2.5, 3.5, 4.5] * 5, [1.5, 2.5, 3.5, 4.5] * 5, CONTRAST),
        },
    )


def _assessment(**changes) -> Assessment:
    evidence = Evidence(measurement="noise_hu", value=31.0, unit="HU")
    fields = {
        "case": "c",
        "status": "judged",
        "rubric": RUBRIC.name,
        "assessor": "net:base",
        "judgements": {
            "noise": RUBRIC.judge("noise", 9.0, interval=(8, 10), coverage=0.9, supervision="readers"),
            "contrast": RUBRIC.judge("contrast", 3.0, interval=(1, 5)),
            "structure": RUBRIC.judge("structure", 4.0),
        },
        "findings": (Finding(degradation="ct.low_dose", severity=Severity.MILD, value=0.5, evidence=(evidence,)),),
        "measurements": {"noise_hu": Measurement(value=31.0, unit="HU")},
        "notes": ("A caveat.",),
        "provenance": Provenance(assessor="net:base", model_hash="f" * 64),
    }
    return Assessment(**{**fields, **changes})


class TestApply:
    def test_score_and_all_that_follows_is_made_anew(self, site):
        before = _assessment()
        after = site.apply(before, RUBRIC, (Role.TARGET,))
        scale, one = site.dimensions["noise"], after.judgements["noise"]
        assert one.score == pytest.approx(scale.map(9.0, NOISE)) == pytest.approx(7, abs=0.3)
        assert one.quality == NOISE.quality(one.score) > before.judgements["noise"].quality
        assert one.level == "as normal dose" != before.judgements["noise"].level
        assert one.interval == pytest.approx((one.score - scale.half_width, one.score + scale.half_width))
        assert (one.coverage, one.supervision) == (0.9, "readers")
        assert one.probabilities == pytest.approx(NOISE.distribution(one.score, scale.sd))
        Assessment.model_validate(after.model_dump())  # a valid noun still

    def test_what_did_not_help_keeps_the_score_with_the_sites_interval(self, site):
        after = site.apply(_assessment(), RUBRIC, ())
        one = after.judgements["contrast"]
        assert one.score == 3.0
        assert one.interval == (3.0, 3.0)  # this site rates as the assessor does, to the letter
        assert after.judgements["structure"] == _assessment().judgements["structure"]

    def test_it_is_said_and_nothing_else_changes(self, site):
        before = _assessment()
        after = site.apply(before, RUBRIC, ())
        assert after.notes[0] == "A caveat."
        assert after.notes[1] == (
            "site-calibrated: scores mapped for noise; scores as they were, with the interval of the site's ratings, "
            "for contrast; nothing known of structure."
        )
        assert "On the site's own scale (40 ratings), Noise reduction is 7." in after.text
        assert "not 9.0." in after.text
        assert (after.findings, after.measurements) == (before.findings, before.measurements)

    def test_not_applicable_stays(self):
        rubric = rubrics.load("ct-iqa")
        name = next(n for n, d in rubric.dimensions.items() if d.not_applicable is not None)
        scale = rubric.dimension(name)
        low, high = scale.range
        x = np.linspace(low, high, 20)
        one = fit_scale(x, x, scale)
        assert one.judge(rubric, name, rubric.judge(name), 0.9) == rubric.judge(name)

    def test_what_was_not_judged_stays_as_it_is(self, site):
        declined = _assessment(status="unjudged", reason="It is not.", judgements={})
        assert site.apply(declined, RUBRIC, ()) == declined

    @pytest.mark.parametrize(
        ("changes", "roles", "reason"),
        [
            ({"provenance": Provenance(assessor="net:base", model_hash="0" * 64)}, (), "other weights"),
            ({"assessor": "measured:"}, (), "fitted to net:base"),
            ({}, (Role.TARGET, Role.REFERENCE), "this one comes with reference"),
        ],
    )
    def test_what_it_was_not_fitted_for_is_declined(self, site, changes, roles, reason):
        found = site.apply(_assessment(**changes), RUBRIC, roles)
        assert (found.status, dict(found.judgements)) == ("unjudged", {})
        assert reason in found.reason
        Assessment.model_validate(found.model_dump())

    def test_a_role_that_the_rubric_does_not_use_does_not_matter(self, site):
        assert site.apply(_assessment(), RUBRIC, (Role.TARGET, Role.MASK)).status == "judged"

    def test_another_rubric_or_assessor_is_refused(self, site):
        site.check("net:base", RUBRIC)
        for assessor, rubric, sentence in [
            ("measured:", RUBRIC, "scores of net:base, not of measured:"),
            ("net:base", rubrics.load("ldct"), "on the rubric ct-denoising, not on ldct"),
            ("net:base", RUBRIC.model_copy(update={"title": "Mine"}), "has changed since"),
        ]:
            with pytest.raises(UsageError, match=sentence):
                site.check(assessor, rubric)


class TestFile:
    def test_it_reads_back_and_the_hash_is_that_of_the_file(self, site, tmp_path: Path):
        site.write(tmp_path / "site.json")
        assert read_calibration(tmp_path / "site.json") == site
        assert hashlib.sha256((tmp_path / "site.json").read_bytes()).hexdigest() == site.hash
        assert (tmp_path / "site.json").stat().st_size < 8000

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("not json", "not a JSON object"),
            ("[]", "not a JSON object"),
            ('{"schema_version": "9"}', "schema_version"),
            ('{"schema_version": "1", "assessor": "a"}', "a part is missing"),
        ],
    )
    def test_another_file_is_refused(self, tmp_path: Path, text: str, sentence: str):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(InputError, match=sentence):
            read_calibration(tmp_path / "x.json")
        with pytest.raises(InputError, match="cannot be read"):
            read_calibration(tmp_path / "none.json")

    def test_a_map_that_falls_is_refused(self, site, tmp_path: Path):
        document = json.loads(site.to_json())
        document["dimensions"]["noise"]["knots"] = [[1, 9], [14, 2]]
        (tmp_path / "x.json").write_text(json.dumps(document))
        with pytest.raises(InputError, match="not as it was"):
            read_calibration(tmp_path / "x.json")
