"""Numbers as a reader meets them: few digits, a true minus sign, no exponent where none is needed."""

from __future__ import annotations

from math import isfinite

__all__ = ["interval", "number", "score"]


def number(value: float) -> str:
    """Write a measured value with three significant digits (integers below a million whole)."""
    if value == 0 or not isfinite(value):
        return f"{value:g}"
    size = abs(value)
    if size >= 1e6 or size < 1e-4:
        mantissa, exponent = f"{value:.2e}".split("e")
        power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        text = f"{mantissa.rstrip('0').rstrip('.')}×10{power}"
    elif size >= 100 or value == int(value):
        text = f"{value:.0f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}")


def score(value: float, low: float, high: float) -> str:
    """Write a score with as many decimals as its scale deserves: 2 up to a span of 5, 1 up to 50, else 0."""
    span = high - low
    decimals = 2 if span <= 5 else 1 if span <= 50 else 0
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def interval(low: str, high: str) -> str:
    """Join two written bounds; a minus sign after a dash would be unreadable, so "to" stands there."""
    return f"{low} to {high}" if "\N{MINUS SIGN}" in low + high else f"{low}\N{EN DASH}{high}"
