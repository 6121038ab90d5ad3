"""The report of a run as one HTML file that needs nothing from outside itself."""

from __future__ import annotations

import base64
import hashlib
import os
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import scrutiq
from scrutiq.core import Assessment, Dimension, Judgement
from scrutiq.reports import figures, numbers
from scrutiq.reports.detail import case_view
from scrutiq.reports.files import atomic
from scrutiq.reports.overview import overview
from scrutiq.reports.run import ReportRun

__all__ = ["write_html"]


def write_html(
    run: ReportRun, path: str | os.PathLike[str], *, show_paths: bool = False, detail: int = 60
) -> tuple[str, ...]:
    """Write the report of a run.

    The file holds its own styles, script and images, and a content security policy that forbids every request. Equal
    input gives equal bytes.

    Parameters
    ----------
    run : ReportRun
    path : path
        Replaced as a whole, or not at all.
    show_paths : bool
        Show ``source.path`` beside the case id. A file name can identify a patient.
    detail : int
        The most cases that are shown in full, with images; every case stands in the overview. See `ReportRun.choose`.

    Returns
    -------
    tuple of str
        The cases that are shown in full.
    """
    by_case = run.by_case()
    chosen = run.choose(detail)
    places = {case: i for i, case in enumerate(by_case, start=1)}
    targets = {case: f"case-{places[case]}" for case in chosen}
    style, script = _asset("report.css"), _asset("report.js")
    context = {
        "run": run,
        "overview": overview(run, targets),
        # A generator, so that one case's images are in memory at a time.
        "cases": (case_view(run, case, by_case[case], targets[case], places[case]) for case in chosen),
        "chosen": chosen,
        "show_paths": show_paths,
        "style": Markup(style),
        "script": Markup(script),
        "policy": _policy(style, script),
        "version": scrutiq.__version__,
    }
    stream = _environment().get_template("report.html").stream(context)
    stream.enable_buffering(64)
    with atomic(path) as file:
        file.writelines(stream)
    return chosen


def _policy(style: str, script: str) -> str:
    """Return the policy: nothing is fetched, and only this file's own script and style sheet take effect.

    ``style-src-attr`` admits the positions that charts give as style attributes.
    """
    return (
        f"default-src 'none'; img-src data:; style-src-elem '{_digest(style)}'; style-src-attr 'unsafe-inline'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _asset(name: str) -> str:
    return (resources.files("scrutiq.reports") / "templates" / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("scrutiq.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=numbers.number,
        score=_score,
        interval=_interval,
        levels=_levels,
        direction=_direction,
        term=_term,
        words=_words,
        opened=_opened,
        unit=_unit,
        breakable=_breakable,
    )
    environment.globals.update(bar=figures.bar, scale=figures.scale, colour_bar=figures.colour_bar, sort_key=_sort_key)
    return environment


def _score(judgement: Judgement, dimension: Dimension) -> str:
    return "N/A" if judgement.score is None else numbers.score(judgement.score, *dimension.range)


def _interval(judgement: Judgement, dimension: Dimension) -> str:
    if judgement.interval is None:
        return ""
    return numbers.interval(*(numbers.score(v, *dimension.range) for v in judgement.interval))


def _levels(judgement: Judgement) -> str:
    """Say how probable each level is, where a judgement states it; levels below 1 % are left out."""
    found = (judgement.probabilities or {}).items()
    return ", ".join(f"{word} {100 * p:.0f}\u2009%" for word, p in found if p >= 0.01)


def _direction(dimension: Dimension) -> str:
    """Say in words which way is better."""
    if dimension.better == "near":
        assert dimension.ideal is not None
        return f"best at {numbers.number(dimension.ideal)}, worse on both sides"
    return f"{dimension.better} is better"


def _term(name: str) -> str:
    """Write a name of the code (``ct.low_dose``) as a term (Low dose)."""
    return name.rpartition(".")[2].replace("_", " ").capitalize()


def _unit(unit: str) -> str:
    """Write a unit; a quantity of dimension one (DICOM, UCUM: "1") has none."""
    return "" if unit == "1" else unit


def _breakable(name: str) -> Markup:
    """Let a name of the code break after its underscores only."""
    return Markup("_<wbr>").join(name.split("_"))


def _opened(text: str) -> str:
    """Write the first letter large, and leave the rest (HU, MONOCHROME1) alone."""
    return text[:1].upper() + text[1:]


def _words(assessment: Assessment) -> str:
    """Return what the overview's filter searches for."""
    parts = [assessment.case, assessment.modality.value, assessment.status, assessment.reason or ""]
    parts += [f"{f.degradation} {f.severity.value}" for f in assessment.findings if f.severity.value != "none"]
    parts += ["disputed"] if any(f.disputed for f in assessment.findings) else []
    parts += [j.level for j in assessment.judgements.values() if j.level]
    return " ".join(parts).casefold()


def _sort_key(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
