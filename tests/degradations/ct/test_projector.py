"""The projector against exact line integrals, and by the laws that it must keep."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from math import pi
from pathlib import Path

import numpy as np
import pytest

from scrutiq.core import MissingExtraError, UsageError
from scrutiq.degradations.ct import projector
from scrutiq.degradations.ct.fbp import APODISATIONS, fbp, filter_views, parker_weights
from scrutiq.degradations.ct.geometry import FanBeam, Geometry, ParallelBeam, clinical_fan, parallel_beam
from scrutiq.degradations.ct.phantom import BODY, Ellipse, line_integrals, rasterise
from scrutiq.degradations.ct.projector import backproject, pixel_centres, project, transpose
from scrutiq.metrics.nps import power_spectrum

SHAPE, SPACING = (192, 192), (2.0, 2.0)
PARALLEL = parallel_beam(SHAPE, SPACING, 360)
FAN = clinical_fan(SHAPE, SPACING, 360)
BEAMS = [pytest.param(PARALLEL, id="parallel"), pytest.param(FAN, id="fan")]

Beam = Geometry


def _circle(radius: float, shape: tuple[int, int] = SHAPE, spacing: tuple[float, float] = SPACING) -> np.ndarray:
    y, x = pixel_centres(shape, spacing)
    return np.hypot(x[None], y[:, None]) < radius


class TestGeometry:
    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: ParallelBeam(views=0, detectors=4, pitch=1.0), "at least one view"),
            (lambda: ParallelBeam(views=4, detectors=1, pitch=1.0), "at least two elements"),
            (lambda: ParallelBeam(views=4, detectors=4, pitch=0.0), "pitch"),
            (lambda: ParallelBeam(views=4, detectors=4, pitch=float("nan")), "pitch"),
            (lambda: ParallelBeam(views=4, detectors=4, pitch=1.0, arc=7.0), "2 pi"),
            (lambda: ParallelBeam(views=4, detectors=4, pitch=1.0, start=float("inf")), "finite angle"),
            (lambda: FanBeam(views=4, detectors=4, pitch=1.0, source=600.0, detector=500.0), "isocentre lies between"),
            (lambda: FanBeam(views=4, detectors=4000, pitch=1.0), "60 degrees"),
        ],
    )
    def test_what_cannot_be_is_refused(self, make: Callable[[], Beam], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            make()

    def test_the_clinical_fan_covers_the_image_up_to_the_scan_field(self) -> None:
        near = clinical_fan((512, 512), (0.6, 0.6))
        assert (near.views, near.detectors) == (720, 736)
        assert near.radius == pytest.approx(256 * 0.6 * 2**0.5)
        assert clinical_fan((512, 512), (0.9766, 0.9766)).radius == pytest.approx(250)

    def test_rays_of_a_fan_pass_through_its_focus(self) -> None:
        angle, distance = FAN.rays()
        focus = FAN.source * np.stack([-np.sin(FAN.angles), np.cos(FAN.angles)], axis=1)
        np.testing.assert_allclose(focus[:, :1] * np.cos(angle) + focus[:, 1:] * np.sin(angle), distance, atol=1e-9)

    def test_more_views_of_the_same_scan(self) -> None:
        assert FAN.with_views(90).arc == FAN.arc
        assert FAN.with_views(90).angles[1] == pytest.approx(FAN.angles[4])


class TestForward:
    @pytest.mark.parametrize("beam", BEAMS)
    @pytest.mark.parametrize(
        "ellipse", [Ellipse(0, 0, 90, 90, 0, 1.0), Ellipse(35, -20, 70, 40, 0.6, 2.0)], ids=["disc", "ellipse"]
    )
    def test_line_integrals_of_ellipses(self, beam: Beam, ellipse: Ellipse) -> None:
        exact = line_integrals([ellipse], beam)
        sinogram = project(rasterise([ellipse], SHAPE, SPACING), beam, SPACING)
        assert sinogram.shape == (beam.views, beam.detectors)
        assert np.sqrt(np.mean((sinogram - exact) ** 2)) < 0.004 * exact.max()  # of which the pixels have the most
        # Far from the edge, where pixels cannot show it, rays are exact.
        long = exact > 0.7 * exact.max()
        np.testing.assert_allclose(sinogram[long], exact[long], rtol=0.01)

    def test_the_longest_chord_is_the_diameter(self) -> None:
        exact = line_integrals([Ellipse(0, 0, 50, 50, 0, 0.02)], FAN)
        assert exact.max() == pytest.approx(100 * 0.02, rel=1e-3)

    @pytest.mark.parametrize("beam", BEAMS)
    def test_it_is_linear(self, beam: Beam) -> None:
        a, b = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)
        mixed = project(2 * a - 3 * b, beam, SPACING)
        np.testing.assert_allclose(
            mixed, 2 * project(a, beam, SPACING) - 3 * project(b, beam, SPACING), atol=1e-5 * np.abs(mixed).max()
        )

    @pytest.mark.parametrize("beam", BEAMS)
    def test_a_quarter_turn_of_the_image_moves_the_views_by_a_quarter_turn(self, beam: Beam) -> None:
        image = np.random.default_rng(1).random(SHAPE, dtype=np.float32)
        beam = replace(beam, arc=2 * pi)
        turned = project(np.rot90(image), beam, SPACING)  # counter-clockwise, as angles are
        np.testing.assert_allclose(
            turned, np.roll(project(image, beam, SPACING), beam.views // 4, axis=0), atol=1e-3 * turned.max()
        )

    def test_pixels_need_not_be_square_nor_the_image(self) -> None:
        shape, spacing = (130, 240), (3.0, 1.7)
        ellipse = [Ellipse(20, 10, 80, 50, 0.4, 1.0)]
        for beam in (parallel_beam(shape, spacing, 90), clinical_fan(shape, spacing, 90)):
            exact = line_integrals(ellipse, beam)
            error = project(rasterise(ellipse, shape, spacing), beam, spacing) - exact
            assert np.sqrt(np.mean(error**2)) < 0.004 * exact.max()

    def test_an_image_that_has_no_rows_and_columns_is_refused(self) -> None:
        with pytest.raises(UsageError, match="two-dimensional"):
            project(np.zeros((4, 4, 3)), PARALLEL, SPACING)


class TestTranspose:
    @pytest.mark.parametrize("beam", BEAMS)
    def test_it_is_matched(self, beam: Beam) -> None:
        rng = np.random.default_rng(2)
        image = rng.standard_normal(SHAPE).astype(np.float32)
        sinogram = rng.standard_normal((beam.views, beam.detectors)).astype(np.float32)
        forward, back = project(image, beam, SPACING), transpose(sinogram, beam, SHAPE, SPACING)
        one = float(np.sum(forward * sinogram, dtype=np.float64))
        other = float(np.sum(image * back, dtype=np.float64))
        assert abs(one - other) < 1e-5 * np.linalg.norm(forward) * np.linalg.norm(sinogram)

    def test_a_sinogram_of_another_scan_is_refused(self) -> None:
        with pytest.raises(UsageError, match="a sinogram of this scan has shape"):
            transpose(np.zeros((3, 3)), PARALLEL, SHAPE, SPACING)


class TestReconstruction:
    @pytest.mark.parametrize(
        "beam",
        [
            *BEAMS,
            pytest.param(replace(PARALLEL, arc=2 * pi), id="parallel-whole-turn"),
            pytest.param(replace(FAN, arc=pi + 2 * FAN.half_angle + 0.02, start=0.7), id="fan-short-scan"),
            pytest.param(replace(FAN, arc=1.7 * pi, start=-1.0), id="fan-longer-scan"),
        ],
    )
    def test_a_phantom_comes_back(self, beam: Beam) -> None:
        phantom = rasterise(BODY, SHAPE, SPACING)
        image = fbp(line_integrals(BODY, beam), beam, SHAPE, SPACING, "shepp-logan")
        inside = _circle(185)
        assert np.sqrt(np.mean((image - phantom)[inside] ** 2)) < 45  # of 1000: edges, which pixels cannot hold
        flat = _circle(12) & (np.abs(phantom - 1000) < 1)
        assert np.mean(image[flat]) == pytest.approx(1000, rel=0.01)
        lung = (
            np.hypot(pixel_centres(SHAPE, SPACING)[1][None] - 80, pixel_centres(SHAPE, SPACING)[0][:, None] - 15) < 20
        )
        assert np.mean((image - phantom)[lung]) == pytest.approx(0, abs=10)

    @pytest.mark.parametrize("name", list(APODISATIONS))
    def test_no_apodisation_changes_the_mean(self, name: str) -> None:
        disc = [Ellipse(0, 0, 100, 100, 0, 1000)]
        image = fbp(line_integrals(disc, FAN), FAN, SHAPE, SPACING, name)
        assert np.mean(image[_circle(60)]) == pytest.approx(1000, rel=0.01)
        assert APODISATIONS[name](np.array([0.0]))[0] == pytest.approx(1)

    @pytest.mark.parametrize("beam", BEAMS)
    def test_white_noise_takes_the_spectrum_of_the_ramp(self, beam: Beam) -> None:
        noise = np.random.default_rng(3).standard_normal((beam.views, beam.detectors)).astype(np.float32)
        image = fbp(noise, beam, SHAPE, SPACING)
        regions = np.stack([image[r : r + 32, c : c + 32] for r in (48, 80, 112) for c in (48, 80, 112)])
        spectrum = power_spectrum(regions - regions.mean(axis=(1, 2), keepdims=True), SPACING)
        # The power of FBP's noise rises with the frequency (Riederer, Pelc and Chesler, Phys. Med. Biol. 23, 1978).
        low, middle = spectrum.frequency < 0.04, np.abs(spectrum.frequency - 0.1) < 0.02
        ratio = spectrum.power[middle].mean() / spectrum.power[low].mean()
        assert ratio == pytest.approx(spectrum.frequency[middle].mean() / spectrum.frequency[low].mean(), rel=0.35)

    def test_the_two_rays_of_a_line_weigh_one_in_a_short_scan(self) -> None:
        beam = replace(FAN, views=2000, arc=pi + 2 * FAN.half_angle + 0.3)
        weights = parker_weights(beam)
        angle, distance = beam.rays()
        # The line of the ray (angle, distance) is that of (angle + pi, -distance).
        np.testing.assert_allclose(distance[:, 100], -distance[:, -101], atol=1e-9)
        angles = np.mod(np.concatenate([angle[:, 100], angle[:, -101] + pi]), 2 * pi)
        both = np.concatenate([weights[:, 100], weights[:, -101]])
        total, _ = np.histogram(angles, bins=40, range=(0, 2 * pi), weights=both)
        np.testing.assert_allclose(total * beam.arc / beam.views / (2 * pi / 40), 1, atol=0.03)

    def test_too_short_a_scan_is_refused(self) -> None:
        with pytest.raises(UsageError, match="at least"):
            parker_weights(replace(FAN, arc=pi))
        with pytest.raises(UsageError, match="at most half a turn"):
            fbp(np.zeros((360, 276)), replace(PARALLEL, arc=1.5 * pi), SHAPE, SPACING)

    def test_an_unknown_apodisation_is_refused(self) -> None:
        with pytest.raises(UsageError, match="there is no apodisation 'hamming'"):
            filter_views(np.zeros((360, 276)), PARALLEL, "hamming")

    def test_an_image_that_reaches_the_focus_is_refused(self) -> None:
        with pytest.raises(UsageError, match="larger than the gantry"):
            backproject(np.zeros((FAN.views, FAN.detectors)), FAN, (192, 192), (5.0, 5.0))


class TestSame:
    def test_the_number_of_threads_does_not_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        image = np.random.default_rng(4).random(SHAPE, dtype=np.float32)
        results = []
        for count in (1, 3):
            monkeypatch.setattr(projector, "threads", lambda count=count: count)
            sinogram = project(image, FAN, SPACING)
            results.append((sinogram, fbp(sinogram, FAN, SHAPE, SPACING), transpose(sinogram, FAN, SHAPE, SPACING)))
        for one, other in zip(*results, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_it_works_where_nothing_can_be_written(self, tmp_path: Path) -> None:
        code = (
            "import numba.core.caching as c\n"
            "c.CacheImpl._locator_classes = []\n"  # as where neither the package nor the home can be written
            "import numpy as np\n"
            "from scrutiq.degradations.ct.geometry import parallel_beam\n"
            "from scrutiq.degradations.ct.projector import project\n"
            "print(round(float(project(np.ones((4, 4)), parallel_beam((4, 4), (1.0, 1.0), 1, 8), (1.0, 1.0)).max())))\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.stdout, done.returncode) == ("4\n", 0), done.stderr

    def test_without_numba_one_sentence_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "numba", None)
        with pytest.raises(MissingExtraError, match=r"scrutiq\[simulate\]"):
            project(np.ones(SHAPE), PARALLEL, SPACING)

    def test_two_python_threads_and_a_fork_may_use_it(self) -> None:
        if not hasattr(os, "fork"):
            pytest.skip("no fork on this system")
        code = (
            "import os, numpy as np, threading\n"
            "from scrutiq.degradations.ct.geometry import parallel_beam\n"
            "from scrutiq.degradations.ct.projector import project\n"
            "work = lambda: project(np.ones((64, 64)), parallel_beam((64, 64), (1.0, 1.0), 64), (1.0, 1.0)).sum()\n"
            "expected = work()\n"
            "both = [threading.Thread(target=work) for _ in range(2)]\n"
            "[t.start() for t in both]; [t.join() for t in both]\n"
            "child = os.fork()\n"
            "if child == 0: os._exit(0 if work() == expected else 1)\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        )
        environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
        )
        assert done.stdout == "0\n", done.stderr
