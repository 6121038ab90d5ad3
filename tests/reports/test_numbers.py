"""Numbers as a reader meets them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrutiq.reports.numbers import interval, number, score


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (31.249, "31.2"),
        (-1024, "−1024"),
        (1107.6, "1108"),
        (0.00042, "0.00042"),
        (-0.0000123, "−1.23×10⁻⁵"),
        (2.5e9, "2.5×10⁹"),
        (99.96, "100"),
        (4.0, "4"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(-1e12, 1e12).filter(lambda v: v == 0 or abs(v) > 1e-12))
def test_a_number_keeps_three_digits(value: float) -> None:
    plain = number(value).replace("−", "-")
    if "×10" in plain:
        mantissa, power = plain.split("×10")
        plain = mantissa + "e" + power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert float(plain) == pytest.approx(value, rel=0.0051)


def test_scores_have_the_decimals_of_their_scale() -> None:
    assert score(2.345, 1, 4) == "2.35"
    assert score(6.14, 1, 14) == "6.1"
    assert score(63.4, 0, 100) == "63"
    assert interval("1", "2") == "1–2"
    assert interval("−3", "2") == "−3 to 2"
