from __future__ import annotations

import numpy as np
import pytest

from scrutiq.training.net.evaluate import (
    calibration_figures,
    coverage_figures,
    factorial_figures,
    kind_figures,
    macro_f1,
    map_figures,
)


def test_macro_f1_by_hand() -> None:
    truth, said = np.array(["a", "a", "b", "b"]), np.array(["a", "b", "b", "b"])
    # a: precision 1, recall 1/2, F1 2/3; b: precision 2/3, recall 1, F1 4/5
    assert macro_f1(truth, said) == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_kinds_are_right_where_the_most_probable_is_the_one_that_was_made() -> None:
    rows = [
        {"modality": "CT", "group": f"g{i % 3}", "steps": [[name, severity]]}
        for i, (name, severity) in enumerate((n, s) for n in ("ct.ring", "ct.metal") for s in np.linspace(0.7, 1, 6))
    ]
    rows += [{"modality": "CT", "group": "g0", "steps": []}] * 2
    names = ("ct.ring", "ct.metal")
    probability = np.array([[0.1, 0.5, 0.4]] * 6 + [[0.3, 0.2, 0.5]] * 6 + [[0.4, 0.3, 0.3]] * 2)
    severity = np.array([[row["steps"][0][1] if row["steps"] else 0.0] * 2 for row in rows])
    found = kind_figures(rows, names, probability, severity)["CT"]
    assert found["severe"]["macro_f1"] == 1
    assert found["severe"]["interval"] == (1, 1)
    assert found["severity_srocc"]["by_kind"] == pytest.approx({"ct.ring": 1, "ct.metal": 1})
    assert found["groups"] == 3
    assert not found["claimed"]
    wrong = kind_figures(rows, names, probability[:, [0, 2, 1]], severity)["CT"]
    assert wrong["severe"]["macro_f1"] == pytest.approx(1 / 3)  # none is right, the two kinds are not


def test_factorial_orders_within_each_level() -> None:
    rows = [
        {"proxy": 4 * (1 - n / 4) * (1 - s / 4), "noise": n, "streak": s, "group": "g"}
        for n in range(4)
        for s in range(4)
    ]
    found = factorial_figures(rows, np.array([row["proxy"] for row in rows]))
    assert found["fixed_noise"] == pytest.approx([1.0] * 4)
    assert factorial_figures(rows, np.array([-row["proxy"] for row in rows]))["all"] == pytest.approx(-1)


def test_the_map_is_tested_where_the_fault_was_put() -> None:
    cells = np.zeros((4, 4), np.float32)
    cells[1, 1] = 1
    row = {"regions": [[16, 16, 32, 32]]}
    assert map_figures([row], [cells], 16) == {"n": 1, "auroc": 1.0, "highest_inside": 1.0, "area": 1 / 16}
    assert map_figures([row], [-cells], 16)["auroc"] == 0.0


def test_calibration_counts_what_is_said_and_leaves_out_what_is_neither() -> None:
    steps = [[["ct.ring", 0.9]], [["ct.ring", 0.9]], [["ct.metal", 0.5]], [], [["ct.metal", 0.2]]]
    rows = [{"modality": "CT", "group": f"g{i}", "steps": one} for i, one in enumerate(steps)]
    probability = np.array([[0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0, 0, 1], [0.6, 0.2, 0.2], [0.9, 0.1, 0]])
    found = calibration_figures(rows, ("ct.ring", "ct.metal"), probability)["CT"]
    assert (found["n"], found["groups"]) == (4, 4)
    # said with 0.8, 0.6, 1.0 and 0.6: right, wrong, right, right; the two that are equally sure share a bin
    assert found["ece"] == pytest.approx((0.2 + 0 + 2 * abs(0.6 - 0.5)) / 4)


def test_coverage_is_of_intervals_that_are_cut_to_the_scale() -> None:
    truth = np.array([0.0, 1.0, 2.0, np.nan, 4.0])
    score = np.array([-1.0, 1.6, 2.4, 2.0, 3.9])
    found = coverage_figures(truth, score, np.full(5, 0.5), (0, 4), list("abcde"))
    assert (found["n"], found["groups"]) == (4, 4)
    assert found["coverage"] == 0.75  # 1.6 is more than a half from 1
    assert found["median_width"] == pytest.approx((0.6 + 1.0) / 2)  # 0.5, 1.0, 1.0 and 0.6
    assert found["constant_width"] == 1.0
