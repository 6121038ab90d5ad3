"""Charts as HTML with inline SVG: geometry here, colours and sizes in the style sheet.

Shapes stretch with their box (``preserveAspectRatio="none"``) while labels are HTML at a percentage of it, so that a
chart is as legible on a telephone as on paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from scrutiq.core import Dimension, Judgement
from scrutiq.reports.numbers import interval, number, score
from scrutiq.reports.pictures import COLOURS

__all__ = ["bar", "colour_bar", "histogram", "profile", "range_bar", "scale"]

_TALL = 100.0


def _percent(value: float, low: float, high: float) -> float:
    return round(100 * min(max((value - low) / (high - low), 0.0), 1.0), 2)


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def bar(dimension: Dimension, judgement: Judgement) -> Markup:
    """Draw a score and its interval on the rubric's range, in one element: for tables of thousands of rows."""
    if judgement.score is None:
        return Markup("")
    low, high = dimension.range
    at = _percent(judgement.score, low, high)
    a, b = (_percent(v, low, high) for v in judgement.interval or (judgement.score, judgement.score))
    style = f"--s:{_plain(at)};--a:{_plain(a)};--b:{_plain(b)}"
    return Markup('<i class="bar" style="{}"></i>').format(style)


def scale(dimension: Dimension, judgement: Judgement | None = None) -> Markup:
    """Draw a dimension's levels as bands over its range, with the ideal, and a judgement where given."""
    low, high = dimension.range
    edges = [0.0, *(_percent(b, low, high) for b in dimension.boundaries), 100.0]
    parts = [
        Markup('<rect class="band{}" x="{}" width="{}" y="0" height="100"/>').format(i % 2, _plain(a), _plain(b - a))
        for i, (a, b) in enumerate(pairwise(edges))
    ]
    if dimension.ideal is not None:
        at = _plain(_percent(dimension.ideal, low, high))
        parts.append(Markup('<path class="ideal" d="M{0} 0V100"/>').format(at))
    if judgement is not None and judgement.score is not None:
        if judgement.interval is not None:
            a, b = (_percent(v, low, high) for v in judgement.interval)
            parts.append(
                Markup('<rect class="interval" x="{}" width="{}" y="22" height="56"/>').format(_plain(a), _plain(b - a))
            )
        at = _plain(_percent(judgement.score, low, high))
        parts.append(Markup('<path class="tick" d="M{0} 0V100"/>').format(at))
    return _stretched("scale", parts)


def range_bar(value: float, reference: tuple[float | None, float | None]) -> Markup:
    """Draw a measured value against its reference range; an open side runs to the edge."""
    low, high = reference
    known = [v for v in (low, high, value) if v is not None]
    span = max(known) - min(known)
    margin = 0.18 * span if span > 0 else max(abs(value), 1.0) * 0.5
    start, end = min(known) - margin, max(known) + margin
    a = 0.0 if low is None else _percent(low, start, end)
    b = 100.0 if high is None else _percent(high, start, end)
    at = _plain(_percent(value, start, end))
    return _stretched(
        "range",
        [
            Markup('<rect class="reference" x="{}" width="{}" y="20" height="60"/>').format(_plain(a), _plain(b - a)),
            Markup('<path class="tick" d="M{0} 0V100"/>').format(at),
        ],
    )


def colour_bar(low: float, high: float) -> Markup:
    """Draw the colours of a map from its lower to its upper limit."""
    width = 100 / len(COLOURS)
    cells = [
        Markup('<rect x="{}" width="{}" y="0" height="100" fill="{}"/>').format(
            _plain(i * width), _plain(width + 0.4), colour
        )
        for i, colour in enumerate(COLOURS)
    ]
    label = f"Colours from {number(low)} to {number(high)}"
    return _stretched("colours", cells, label)


def histogram(
    values: Sequence[float],
    limits: tuple[float, float],
    *,
    label: str,
    edges: Sequence[float] = (),
    ideal: float | None = None,
    bins: int = 24,
) -> Markup:
    """Draw how often values occur over ``limits``, on bands that change at ``edges``.

    Parameters
    ----------
    values : sequence of float
        Inside ``limits``.
    limits : tuple of float
    label : str
        Text alternative.
    edges : sequence of float
        Where one level gives way to the next.
    ideal : float, optional
    bins : int
    """
    low, high = limits
    counts, _ = np.histogram(np.asarray(values, dtype=np.float64), bins=bins, range=(low, high))
    most = max(int(counts.max(initial=0)), 1)
    places = [0.0, *(_percent(e, low, high) for e in edges), 100.0]
    parts = [
        Markup('<rect class="band{}" x="{}" width="{}" y="0" height="100"/>').format(i % 2, _plain(a), _plain(b - a))
        for i, (a, b) in enumerate(pairwise(places))
    ]
    width = 100 / bins
    for i, count in enumerate(counts):
        if count:
            tall = max(1.5, 96 * int(count) / most)
            parts.append(
                Markup('<rect class="column" x="{}" width="{}" y="{}" height="{}"/>').format(
                    _plain(i * width + 0.25), _plain(width - 0.5), _plain(_TALL - tall), _plain(tall)
                )
            )
    if ideal is not None:
        parts.append(Markup('<path class="ideal" d="M{0} 0V100"/>').format(_plain(_percent(ideal, low, high))))
    ticks = [low, *([ideal] if ideal is not None else [(low + high) / 2]), high]
    axis = Markup("").join(
        Markup('<span style="left:{}%">{}</span>').format(_plain(_percent(t, low, high)), number(t)) for t in ticks
    )
    return Markup(
        '<div class="chart"><span class="most" aria-hidden="true">{}</span>{}'
        '<div class="axis" aria-hidden="true">{}</div></div>'
    ).format(most, _stretched("histogram", parts, label), axis)


def profile(
    positions: Sequence[float],
    judgements: Sequence[Judgement | None],
    dimension: Dimension,
    *,
    label: str,
    place: Callable[[float], str],
    points: Mapping[int, tuple[str, str]],
    title: Callable[[int], str],
) -> Markup:
    """Draw a score along the slices of a volume, with its interval as a band and a gap where nothing was judged.

    Parameters
    ----------
    positions : sequence of float
        Ascending.
    judgements : sequence of (Judgement or None)
        One a position.
    dimension : Dimension
    label : str
        Text alternative.
    place : callable
        Position to its text.
    points : mapping of int to tuple of str
        For slices that can be opened: index to (target id, name).
    title : callable
        Index to the text of its dot.
    """
    low, high = dimension.range
    first, last = positions[0], positions[-1]
    x = [_percent(p, first, last) for p in positions]
    parts = []
    edges = [0.0, *(_percent(b, low, high) for b in dimension.boundaries), 100.0]
    for i, (a, b) in enumerate(pairwise(edges)):
        parts.append(
            Markup('<rect class="band{}" x="0" width="100" y="{}" height="{}"/>').format(
                i % 2, _plain(100 - b), _plain(b - a)
            )
        )
    if dimension.ideal is not None:
        parts.append(
            Markup('<path class="ideal" d="M0 {0}H100"/>').format(_plain(100 - _percent(dimension.ideal, low, high)))
        )
    for run in _runs(judgements):
        scored = [(x[i], judgements[i]) for i in run]
        upper, lower, line = [], [], []
        for at, judgement in scored:
            assert judgement is not None
            assert judgement.score is not None
            a, b = judgement.interval or (judgement.score, judgement.score)
            line.append(f"{_plain(at)} {_plain(100 - _percent(judgement.score, low, high))}")
            upper.append(f"{_plain(at)} {_plain(100 - _percent(b, low, high))}")
            lower.append(f"{_plain(at)} {_plain(100 - _percent(a, low, high))}")
        parts.append(Markup('<path class="interval" d="M{}Z"/>').format("L".join(upper + lower[::-1])))
        parts.append(Markup('<path class="line" d="M{}{}"/>').format("L".join(line), "h.01" if len(line) == 1 else ""))
    dots = []
    for i, judgement in enumerate(judgements):
        if i not in points or judgement is None or judgement.score is None:
            continue
        target, name = points[i]
        dots.append(
            Markup('<a class="dot" href="#{}" style="left:{}%;top:{}%" title="{}" aria-label="{}"></a>').format(
                target,
                _plain(x[i]),
                _plain(100 - _percent(judgement.score, low, high)),
                title(i),
                f"{name}, {title(i)}",
            )
        )
    marks = [low, *([dimension.ideal] if dimension.ideal is not None else []), high]
    heights = Markup("").join(
        Markup('<span style="bottom:{}%">{}</span>').format(_plain(_percent(m, low, high)), number(m)) for m in marks
    )
    middle = (first + last) / 2
    places = Markup("").join(
        Markup('<span style="left:{}%">{}</span>').format(_plain(_percent(p, first, last)), place(p))
        for p in (first, middle, last)
    )
    words = Markup("").join(
        Markup('<span style="bottom:{}%">{}</span>').format(_plain((a + b) / 2), level.word)
        for (a, b), level in zip(pairwise(edges), dimension.levels, strict=True)
        if b - a >= 9
    )
    return Markup(
        '<div class="profile"><div class="heights" aria-hidden="true">{}</div><div class="plot">{}{}</div>'
        '<div class="words" aria-hidden="true">{}</div><div class="axis" aria-hidden="true">{}</div></div>'
    ).format(heights, _stretched("lines", parts, label), Markup("").join(dots), words, places)


def describe(values: Sequence[float], limits: tuple[float, float]) -> str:
    """Say the number, median and spread of scores in words."""
    if not values:
        return "no score"
    low, middle, high = np.percentile(values, [5, 50, 95])
    return (
        f"{len(values)} score{'s' if len(values) != 1 else ''}, median {score(float(middle), *limits)}, "
        f"5th to 95th percentile {interval(score(float(low), *limits), score(float(high), *limits))}"
    )


def _runs(judgements: Sequence[Judgement | None]) -> list[list[int]]:
    runs: list[list[int]] = [[]]
    for i, judgement in enumerate(judgements):
        if judgement is not None and judgement.score is not None:
            runs[-1].append(i)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _stretched(kind: str, parts: Sequence[Markup], label: str | None = None) -> Markup:
    named = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="{}" viewBox="0 0 100 100" preserveAspectRatio="none" {}>{}</svg>').format(
        kind, named, Markup("").join(parts)
    )
