"""Rubric files: YAML on disk to `Rubric`, with messages that name the line."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from scrutiq.core import Dimension, Level, Noun, Rubric, RubricError, Window
from scrutiq.core.shipped import shipped_yaml

__all__ = ["check", "line_of", "load", "names", "shipped"]


def names() -> tuple[str, ...]:
    """Return the names of the shipped rubrics, sorted."""
    folder = resources.files("scrutiq.rubrics")
    return tuple(sorted(entry.name[: -len(".yaml")] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def shipped() -> tuple[Rubric, ...]:
    """Return the shipped rubrics in the order of `names`."""
    return tuple(load(name) for name in names())


def load(name: str | os.PathLike[str]) -> Rubric:
    """Return a shipped rubric by its name, or a user's own by the path of its YAML file.

    Raises
    ------
    RubricError
        If there is no such rubric or file, or the file is not a valid rubric; the message lists every problem with its
        line.
    """
    text = os.fspath(name)
    if text in names():
        return _shipped(text)
    path = Path(text)
    if path.suffix.lower() not in (".yaml", ".yml") and not path.exists():
        close = difflib.get_close_matches(text, names(), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise RubricError(
            f"{text!r} is neither a shipped rubric ({', '.join(names())}) nor the path of a YAML file.{hint}"
        )
    rubric, problems = _read(path)
    if rubric is None:
        raise RubricError(f"{text} is not a valid rubric: " + "; ".join(problems) + ".")
    return rubric


def check(path: str | os.PathLike[str]) -> list[str]:
    """Return what is wrong with a rubric file, one sentence a problem with its line; empty when it is valid."""
    return _read(Path(path))[1]


@cache
def _shipped(name: str) -> Rubric:
    return Rubric.model_validate(_plain_window(shipped_yaml("scrutiq.rubrics", f"{name}.yaml")))


def _read(path: Path) -> tuple[Rubric | None, list[str]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        detail = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return None, [f"the file cannot be read ({detail})"]
    try:
        document = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        return None, [f"{where}it is not YAML ({getattr(error, 'problem', None) or 'syntax error'})"]
    if not isinstance(document, dict):
        return None, ["a rubric is a YAML mapping with name, title, description, source, modalities and dimensions"]
    try:
        return Rubric.model_validate(_plain_window(document)), []
    except ValidationError as error:
        return None, [_sentence(problem, root) for problem in error.errors()]


def _plain_window(document: dict[str, Any]) -> dict[str, Any]:
    # A window may be written {low, high}, as papers do, or {center, width, function}, as DICOM does.
    window = document.get("window")
    if isinstance(window, dict) and window.keys() == {"low", "high"}:
        low, high = window["low"], window["high"]
        if isinstance(low, int | float) and isinstance(high, int | float) and low < high:
            return {**document, "window": Window.from_bounds(low, high)}
    return document


_FIELDS = sorted({name for noun in (Rubric, Dimension, Level, Window) for name in noun.model_fields})


def _sentence(problem: Any, root: yaml.Node | None) -> str:
    location: Sequence[str | int] = [part for part in problem["loc"] if part != "[key]"]
    place = ".".join(map(str, location)) or "the rubric"
    line = line_of(root, location)
    kind, value = problem["type"], problem.get("input")
    if kind == "missing":
        text = f"{place} is missing"
    elif kind == "extra_forbidden":
        known = [name for name in _known(location) if name != location[-1]]
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        text = f"{place} is not a key that Scrutiq knows" + (f"; did you mean {close[0]!r}?" if close else "")
    else:
        message = problem["msg"].removeprefix("Value error, ")
        shown = "" if isinstance(value, dict | list | Noun) or value is None else f" (it is {value!r})"
        text = f"{place}: {message[0].lower()}{message[1:]}{shown}"
    return f"line {line}: {text}"


def _known(location: Sequence[str | int]) -> Iterator[str]:
    nouns: dict[int, type[Noun]] = {1: Rubric, 3: Dimension, 5: Level}
    noun = Window if "window" in location else nouns.get(len(location))
    yield from (noun.model_fields if noun else _FIELDS)


def line_of(node: yaml.Node | None, location: Sequence[str | int]) -> int:
    """Return the line of the deepest node on the way to a location, from 1."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in location:
        children: list[tuple[Any, yaml.Node, yaml.Node]] = []
        if isinstance(node, yaml.MappingNode):
            children = [(key.value, key, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            children = [(index, value, value) for index, value in enumerate(node.value)]
        found = next(((mark, value) for key, mark, value in children if key == part), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
