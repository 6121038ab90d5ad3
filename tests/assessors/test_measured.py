"""``measured:`` on real images, and on what nobody should be confident about."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import spearmanr

from scrutiq import rubrics
from scrutiq.assessors import default_rubric, open_assessor, why_not
from scrutiq.assessors.measured.assessor import REGION, worst_square
from scrutiq.core import Assessment, Assessor, Case, Image, Modality, Role, Severity, UsageError, Window
from scrutiq.imaging import find_cases, read
from scrutiq.metrics import measure

DEMO = Path(__file__).parents[2] / "demo"
MEASURED = open_assessor("measured:")


def judge(image: Image, rubric: str, **others: Image) -> Assessment:
    case = Case(id="case", images={Role.TARGET: image, **{Role(role): one for role, one in others.items()}})
    return MEASURED.assess(case, (rubrics.load(rubric),))[0]


@pytest.fixture(scope="module")
def ct() -> Image:
    return read(DEMO / "images/ct/slice_1.dcm", frame=0)


def test_it_is_an_assessor() -> None:
    assert isinstance(MEASURED, Assessor)
    assert MEASURED.uri == "measured:"
    for uri in ("measured:model", "measured:?a=1"):
        with pytest.raises(UsageError, match="no model and no options"):
            open_assessor(uri)
    with pytest.raises(UsageError, match="there is no assessor"):
        open_assessor("telepathy:")


def test_a_quiet_slice_beats_a_noisy_one(ct: Image) -> None:
    noisy = read(DEMO / "images/ct/slice_2.dcm", frame=0)
    for rubric in ("ldct", "ct-iqa", "medq"):
        quality = [judge(image, rubric).quality for image in (ct, noisy)]
        assert None not in quality
        assert quality[0] > quality[1]  # type: ignore[operator]


def test_added_noise_is_found_measured_and_scored(ct: Image, rng: np.random.Generator) -> None:
    scores, severities = [], []
    for sigma in (0, 20, 40, 80):
        image = ct.replace(pixels=ct.pixels + rng.normal(0, sigma, ct.shape).astype(np.float32))
        result = judge(image, "ldct")
        scores.append(result.judgements["overall"].score)
        finding = next(f for f in result.findings if f.degradation == "ct.low_dose")
        severities.append(finding.severity)
        measured = result.measurements["noise_hu"].value
        assert measured == pytest.approx(np.hypot(judge(ct, "ldct").measurements["noise_hu"].value, sigma), rel=0.2)
        assert finding.evidence[0].value == measured
        assert (finding.region is None) == (finding.severity is Severity.NONE)
    assert scores == sorted(scores, reverse=True)
    assert severities[0] is Severity.NONE
    assert severities[-1] is Severity.SEVERE


def test_blur_is_found(ct: Image) -> None:
    blurred = ct.replace(pixels=ndimage.gaussian_filter(ct.pixels, 3))
    result = judge(blurred, "medq")
    found = {f.degradation: f.severity for f in result.findings}
    assert found["ct.kernel"] is not Severity.NONE
    assert result.judgements["sharpness"].score < judge(ct, "medq").judgements["sharpness"].score  # type: ignore[operator]


def test_every_sentence_names_what_was_measured(ct: Image) -> None:
    result = judge(ct, "ldct")
    assert result.text.startswith("CT image, 512 x 512 pixels.")
    assert any("noise_hu" in sentence.measurements for sentence in result.sentences)
    assert result.provenance.rubric_hash == rubrics.load("ldct").hash
    assert {"scrutiq", "numpy", "scipy"} <= result.provenance.versions.keys()


def test_display_changes_nothing_that_is_measured(ct: Image) -> None:
    other = ct.replace(voi=Window(center=-600, width=1500), inverted=True)
    assert judge(other, "ldct").judgements == judge(ct, "ldct").judgements


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((1, 1)), "1x1 pixels"),
        (np.full((64, 64), 7.0), "constant"),
        (np.full((64, 64), np.nan), "valid"),
        (np.where(np.arange(4096).reshape(64, 64) % 3, np.inf, 5), "valid"),
    ],
)
@pytest.mark.parametrize("rubric", ["ldct", "medq", "ct-iqa", "ct-denoising"])
def test_no_confident_score_where_there_is_no_image(pixels: np.ndarray, reason: str, rubric: str) -> None:
    result = judge(Image(pixels=pixels, modality="CT", unit="HU"), rubric)
    assert result.status == "unjudged"
    assert reason in str(result.reason)
    assert not result.judgements


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(32, 32), (33, 700), (40, 40, 3), (700, 33)])
def test_odd_shapes_of_noise_do_not_break_it(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    pixels = rng.uniform(0, 255, shape)
    pixels[3:5, 3:5] = np.nan
    for modality in Modality:
        image = Image(pixels=pixels, modality=modality, data_range=(0, 255))
        for rubric in rubrics.shipped():
            assert judge(image, rubric.name).status in ("judged", "unjudged")


def test_it_declines_with_the_reason(ct: Image) -> None:
    unknown = ct.replace(modality="unknown", unit="grey level")
    assert "--modality" in str(judge(unknown, "medq").reason)
    assert "made for CT" in str(judge(unknown.replace(modality="MR"), "ldct").reason)
    frame = Image(pixels=ct.pixels, modality="XA")
    assert "mask and contrast" in str(judge(frame, "angio").reason)
    assert "no mapping" in str(judge(frame, "angio", mask=frame, contrast=frame).reason)
    grey = ct.replace(unit="grey level")
    assert "noise_hu" in str(judge(grey, "ldct").reason)
    declined = judge(ct, "ct-iqa").declined
    assert set(declined) == {"lesion", "confidence"}


def test_default_rubrics_follow_from_the_case(ct: Image) -> None:
    frame = Image(pixels=ct.pixels, modality="XA")
    assert default_rubric(Case(id="a", images={"target": ct})).name == "ldct"
    assert default_rubric(Case(id="a", images={"target": frame})).name == "medq"
    both = Case(id="a", images={"target": frame, "mask": frame, "contrast": frame})
    assert default_rubric(both).name == "angio"
    assert why_not(both, rubrics.load("angio")) is None


def test_a_reference_replaces_the_assumed_normal_dose(ct: Image) -> None:
    noise = judge(ct, "ct-denoising", reference=ct)
    assert noise.measurements["noise_ratio"].value == pytest.approx(1)
    assert noise.judgements["noise"].level == "as normal dose"


def test_the_reader_study_is_ordered_as_the_radiologists_did() -> None:
    """Twelve denoisers of one set of the blind reader study, bundled with the demo."""
    cases = {ref.id: ref.load() for ref in find_cases([DEMO / "reader-study/cases.csv"])}
    rubric = rubrics.load("ct-denoising")
    with (DEMO / "reader-study/readers.csv").open(newline="") as file:
        truth = {row["id"]: float(row["noise"]) for row in csv.DictReader(file)}
    scores = {name: MEASURED.assess(cases[name], (rubric,))[0].judgements["noise"].score for name in truth}
    assert spearmanr([scores[name] for name in truth], list(truth.values())).statistic > 0.85


def test_the_worst_square() -> None:
    values = np.zeros((200, 300), np.float32)
    values[100:120, 250:270] = 5
    values[0, 0] = np.nan
    top, left, bottom, right = worst_square(values, REGION) or (0, 0, 0, 0)
    assert (bottom - top, right - left) == (REGION, REGION)
    assert top <= 100
    assert bottom >= 120
    assert left <= 250
    assert right >= 270
    assert worst_square(np.full((9, 9), np.nan, np.float32), 4) is None
    assert worst_square(np.ones((3, 9), np.float32), 4) == (0, 0, 3, 4)


def test_the_evidence_map_is_that_of_the_worst_finding(ct: Image, rng: np.random.Generator) -> None:
    noisy = ct.replace(pixels=ct.pixels + rng.normal(0, 60, ct.shape).astype(np.float32))
    case = Case(id="case", images={"target": noisy})
    evidence = MEASURED.evidence_map(case, MEASURED.assess(case, (rubrics.load("ldct"),))[0])
    assert evidence is not None
    assert (evidence.name, evidence.unit) == ("noise_hu", "HU")
    assert evidence.values.shape == ct.shape


def test_absence_of_artefacts_is_never_claimed(ct: Image) -> None:
    result = judge(ct, "medq")
    assert "artefacts" in result.declined
    blocky = ct.pixels.copy()
    blocky[: 512 - 512 % 8] = blocky.reshape(64, 8, 64, 8).mean((1, 3)).repeat(8, 0).repeat(8, 1)
    assert judge(ct.replace(pixels=blocky), "medq").judgements["artefacts"].level == "severe"


@pytest.mark.parametrize("rubric", rubrics.names())
def test_no_window_changes_a_judgement(ct: Image, rubric: str) -> None:
    raster = read(DEMO / "reader-study/mtd.png", modality="CT", frame=0)
    for image in (ct, raster):
        shown = [judge(image.replace(voi=voi), rubric) for voi in (None, Window(center=40, width=80))]
        assert shown[0].judgements == shown[1].judgements


def test_a_reference_on_another_scale_is_left_alone() -> None:
    raster = read(DEMO / "reader-study/mtd.png", modality="CT", frame=0)
    other = raster.replace(pixels=raster.pixels * 257, data_range=(0, 65535))
    alone, beside = judge(raster, "ct-denoising"), judge(raster, "ct-denoising", reference=other)
    assert beside.judgements == alone.judgements
    assert "psnr" not in beside.measurements


def test_metrics_with_a_reference_stand_in_the_report(ct: Image) -> None:
    noisy = read(DEMO / "reader-study/ldct.png", modality="CT", frame=0)
    normal = read(DEMO / "reader-study/ndct.png", modality="CT", frame=0)
    measured = judge(noisy, "ct-denoising", reference=normal).measurements
    assert 10 < measured["psnr"].value < 40
    assert 0 < measured["ssim"].value < 1


def test_over_smoothing_is_no_excellence(ct: Image, rng: np.random.Generator) -> None:
    smooth = np.where(ct.pixels > -300, 40, -1000) + rng.normal(0, 1, ct.shape)
    result = judge(ct.replace(pixels=smooth), "ldct")
    assert result.judgements["overall"].score < 2  # type: ignore[operator]
    low, high = result.judgements["overall"].interval  # type: ignore[misc]
    assert high - low >= 1


def test_over_smoothing_is_located_where_it_is(rng: np.random.Generator) -> None:
    sigma = np.where(np.arange(256) < 128, 1.0, 20.0)
    image = Image(pixels=40 + sigma * rng.standard_normal((256, 256)), modality="CT", unit="HU", spacing=(0.7, 0.7))
    finding = next(f for f in judge(image, "medq").findings if f.degradation == "ct.over_smoothing")
    assert finding.severity is Severity.SEVERE
    assert finding.region is not None
    assert finding.region[3] <= 160


def test_a_number_in_the_report_is_never_equal_to_its_bound(ct: Image) -> None:
    result = judge(ct.replace(pixels=ct.pixels * (30.02 / 7.92)), "ldct")
    assert "of 30 HU is above 30 HU" not in result.text


def test_brightness_is_as_it_is_seen(rng: np.random.Generator) -> None:
    dark = Image(pixels=20 + 5 * rng.standard_normal((128, 128)), modality="fundus", data_range=(0, 255))
    turned = dark.replace(pixels=255 - dark.pixels, inverted=True)
    for name in ("exposure", "clipped_bright", "clipped_dark"):
        assert measure(turned)[name].value == pytest.approx(measure(dark)[name].value)
