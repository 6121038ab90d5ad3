"""Markdown of the tables of `bench_accuracy.py`, the place in the page where each stands, and the figures beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scrutiq.metrics.bootstrap import cluster_index, draw, interval
from scrutiq.metrics.reader_protocol import Figure

#: Resamples of every bootstrap.
DRAWS = 2000


def cell(figure: Figure, digits: int = 2) -> str:
    """Return a figure with its interval as text."""
    if not np.isfinite(figure.value):
        return "declined"
    if not np.isfinite(figure.low):
        return f"{figure.value:.{digits}f}"
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def clustered(values: np.ndarray, statistic, clusters: Sequence[str], seed: int = 0) -> Figure:
    """Return a statistic of weights, one a row, with its 95 % interval over clusters drawn with replacement.

    ``statistic(weights)`` takes the weight of each of ``values``'s rows.
    """
    index, count = cluster_index(clusters, len(values))
    counts = draw(count, DRAWS, np.random.default_rng(seed))
    value = float(statistic(np.ones(len(values))))
    between = interval(value, np.array([statistic(one[index]) for one in counts]), count, 0.95)
    return Figure(value, *(between or (float("nan"), float("nan"))))


def write(page: Path, name: str, text: str) -> None:
    """Put a table between its markers in the page."""
    pattern = re.compile(rf"(<!-- bench: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    before = page.read_text("utf-8")
    if not pattern.search(before):
        raise SystemExit(f"{page.name} has no place for the table {name!r}.")
    page.write_text(pattern.sub(lambda found: f"{found[1]}{text.strip()}\n{found[2]}", before), "utf-8")


def plain(figures: Mapping[str, Figure]) -> dict[str, dict[str, float | None]]:
    """Return figures as JSON holds them, unrounded; what is no number is null."""
    return {
        name: {key: value if np.isfinite(value) else None for key, value in figure._asdict().items()}
        for name, figure in figures.items()
    }


def keep(path: Path, name: str, figures: Mapping[str, Any]) -> None:
    """Put the figures of a table under its name in a JSON file; those of the others stay."""
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    found[name] = figures
    path.write_text(json.dumps(found, indent=1, sort_keys=True, allow_nan=False) + "\n", "utf-8")
