"""Recipes: a YAML file says what a data set is made of; messages name the line and the remedy."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from scrutiq.core import FrozenDict, Modality, Noun, UsageError
from scrutiq.rubrics.files import line_of

__all__ = [
    "AngioTriplets",
    "BaseChoice",
    "CtIqa",
    "LdctFactorial",
    "MedqStyle",
    "Pairs",
    "Recipe",
    "load",
    "names",
]

Share = Annotated[float, Field(gt=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")]
#: A degradation, in images of one modality only where that stands before it: ``endoscopy:any.crop``.
Excluded = Annotated[str, Field(pattern=r"^([a-z]+:)?[a-z0-9_]+\.[a-z0-9_]+$")]


class BaseChoice(Noun):
    """Which of the real images a data set is made from.

    Parameters
    ----------
    sets : tuple of str, optional
        Names of sets in the table of bases; all sets of the modality where omitted.
    shippable : bool
        Take only sets whose licence allows that the weights trained on them are shipped.
    max_side : int
        Larger images are averaged in blocks of whole pixels until no side is longer.
    """

    sets: tuple[str, ...] | None = None
    shippable: bool = False
    max_side: Annotated[int, Field(ge=64)] = 1024


class _Common(Noun):
    """What every recipe states.

    Parameters
    ----------
    kind : str
        The design, one of the five.
    name : str
        Lower-case words joined by hyphens; stands in the data card.
    title, description : str
    seed : int
        From it and the id of an image everything random follows.
    bases : BaseChoice
    """

    kind: str
    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    title: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    bases: BaseChoice = BaseChoice()

    @property
    def hash(self) -> str:
        """SHA-256 of what is asked for, whatever the layout of the file."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class LdctFactorial(_Common):
    """Dose by views, each in four levels, in the layout of the LDCT-IQA challenge.

    Parameters
    ----------
    images : int
        A multiple of 16: each base and draw gives the whole factorial.
    test : float
        Share of the patients.
    dose : tuple of four float
        Fractions of the base's dose at noise levels 0 to 3, descending from 1.
    views : tuple of four int
        Views of the scan at streak levels 0 to 3, descending.
    """

    kind: Literal["ldct-factorial"]
    images: Annotated[int, Field(ge=16, multiple_of=16)]
    test: Share = 0.2
    dose: tuple[float, float, float, float] = (1.0, 0.5, 0.25, 0.1)
    views: tuple[int, int, int, int] = (720, 256, 128, 64)

    @model_validator(mode="after")
    def _check(self) -> LdctFactorial:
        if self.dose[0] != 1 or list(self.dose) != sorted(set(self.dose), reverse=True) or self.dose[3] <= 0:
            raise ValueError("dose descends from 1 to a positive fraction, as in [1, 0.5, 0.25, 0.1]")
        if list(self.views) != sorted(set(self.views), reverse=True) or self.views[3] < 8:
            raise ValueError("views descend to at least 8, as in [720, 256, 128, 64]")
        return self


class CtIqa(_Common):
    """Eight qualities of each slice, scored on the rubric ``ct-iqa``.

    Parameters
    ----------
    slices : int
        Slices, of which eight images are made each. Where there are fewer bases, each is used several times, with
        another lesion and other noise.
    lesions : float
        Share of the slices into which a lesion is inserted.
    test : float
        Share of the patients.
    """

    kind: Literal["ct-iqa"]
    slices: Annotated[int, Field(ge=2)]
    lesions: Share = 0.5
    test: Share = 0.2


class MedqStyle(_Common):
    """Questions, descriptions and comparisons in the layout of MedQ-Bench.

    Parameters
    ----------
    images : int
        A multiple of twice the number of modalities: dev and test, and the modalities, are equal.
    pairs : int
        Comparisons, half in dev and half in test.
    modalities : tuple of Modality
    none, mild, severe : float
        Shares of the images by severity, summing to 1. MedQ-Bench has 23.8, 44.6 and 31.6 % (table 5).
    specific : float
        Share of questions that are specific to the modality; 57.2 % in MedQ-Bench (table 4).
    fine : float
        Share of fine-grained comparisons; 103 of 133 in MedQ-Bench (test set, table 9).
    exclude : tuple of str
        Degradations that are not made, everywhere or, as ``endoscopy:any.crop``, in one modality: what is no fault
        there, or what the bases have by themselves.
    """

    kind: Literal["medq-style"]
    images: Annotated[int, Field(ge=4)]
    pairs: Annotated[int, Field(ge=2, multiple_of=2)]
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)]
    none: Share = 0.238
    mild: Share = 0.446
    severe: Share = 0.316
    specific: Share = 0.572
    fine: Share = 103 / 133
    exclude: tuple[Excluded, ...] = ()

    @field_validator("modalities")
    @classmethod
    def _distinct(cls, value: tuple[Modality, ...]) -> tuple[Modality, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a modality is named once")
        return value

    @model_validator(mode="after")
    def _check(self) -> MedqStyle:
        if abs(self.none + self.mild + self.severe - 1) > 1e-6:
            raise ValueError("none, mild and severe sum to 1")
        step = 2 * len(self.modalities)
        if self.images % step:
            near = max(step, round(self.images / step) * step)
            raise ValueError(f"images is a multiple of {step} (two halves of each modality); take {near}")
        return self


class Pairs(_Common):
    """Series of one base with one fault at rising severity, for ranking.

    Parameters
    ----------
    series : int
    severities : tuple of float
        Ascending from 0.
    modalities : tuple of Modality
    test : float
        Share of the patients or sources.
    exclude : tuple of str
        Degradations that are not made, everywhere or, as ``endoscopy:any.crop``, in one modality.
    """

    kind: Literal["pairs"]
    series: Annotated[int, Field(ge=1)]
    severities: Annotated[tuple[float, ...], Field(min_length=2)] = (0.0, 0.25, 0.5, 0.75, 1.0)
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)]
    test: Share = 0.2
    exclude: tuple[Excluded, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Pairs:
        if list(self.severities) != sorted(set(self.severities)) or self.severities[0] < 0 or self.severities[-1] > 1:
            raise ValueError("severities ascend within 0 and 1")
        return self


class AngioTriplets(_Common):
    """Mask, contrast and a flawed generated angiography, scored on the rubric ``angio``.

    Parameters
    ----------
    images : int
        Generated images.
    deformation : tuple of float
        Least and greatest displacement of the generated image, pixels (the largest in the field).
    flaws : mapping of str to tuple of str
        Degradation to the dimensions of the rubric that it counts against.
    test : float
        Share of the patients.
    """

    kind: Literal["angio-triplets"]
    images: Annotated[int, Field(ge=1)]
    deformation: tuple[float, float] = (2.0, 8.0)
    flaws: Annotated[FrozenDict[Name, tuple[Literal["vmc", "vbd", "oq"], ...]], Field(min_length=1)]
    test: Share = 0.2

    @model_validator(mode="after")
    def _check(self) -> AngioTriplets:
        if not 0 < self.deformation[0] <= self.deformation[1]:
            raise ValueError("deformation is two positive numbers of pixels, ascending")
        return self


Recipe = Annotated[LdctFactorial | CtIqa | MedqStyle | Pairs | AngioTriplets, Field(discriminator="kind")]

_KINDS: dict[str, type[_Common]] = {
    "ldct-factorial": LdctFactorial,
    "ct-iqa": CtIqa,
    "medq-style": MedqStyle,
    "pairs": Pairs,
    "angio-triplets": AngioTriplets,
}


def names() -> tuple[str, ...]:
    """Return the names of the shipped recipes, sorted."""
    folder = resources.files("scrutiq.datasets").joinpath("recipes")
    return tuple(sorted(entry.name[: -len(".yaml")] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load(name: str | os.PathLike[str]) -> Recipe:
    """Return a shipped recipe by its name, or one's own by the path of its YAML file.

    Raises
    ------
    UsageError
        If there is no such recipe or file, or it is not valid; the message lists every problem with its line.
    """
    text = os.fspath(name)
    if text in names():
        content = resources.files("scrutiq.datasets").joinpath("recipes", f"{text}.yaml").read_text("utf-8")
        return _parse(content, text)
    path = Path(text)
    if path.suffix.lower() not in (".yaml", ".yml"):
        close = difflib.get_close_matches(text, names(), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UsageError(
            f"{text!r} is neither a shipped recipe ({', '.join(names())}) nor the path of a YAML file.{hint}"
        )
    try:
        return _parse(path.read_text("utf-8"), text)
    except OSError as error:
        raise UsageError(f"the recipe {text} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise UsageError(f"the recipe {text} is not UTF-8 text.") from None


def _parse(content: str, name: str) -> Recipe:
    try:
        document = yaml.safe_load(content)
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "syntax error"
        raise UsageError(f"{name} is not a valid recipe: {where}it is not YAML ({problem}).") from None
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        line = line_of(root, ["kind"])
        raise UsageError(f"{name} is not a valid recipe: line {line}: kind is one of {', '.join(_KINDS)}.")
    try:
        recipe: Recipe = TypeAdapter(Recipe).validate_python(document)
    except ValidationError as error:
        problems = "; ".join(_sentence(problem, root, _KINDS[kind]) for problem in error.errors())
        raise UsageError(f"{name} is not a valid recipe: {problems}.") from None
    return recipe


def _sentence(problem: Any, root: yaml.Node | None, model: type[_Common]) -> str:
    loc = problem["loc"][1:] if problem["loc"][:1] and problem["loc"][0] in _KINDS else problem["loc"]
    location: Sequence[str | int] = [part for part in loc if part != "[key]"]
    place = ".".join(map(str, location)) or "the recipe"
    if problem["type"] == "missing":
        text = f"{place} is missing; add it"
    elif problem["type"] == "extra_forbidden":
        known = BaseChoice.model_fields if location[0] == "bases" else model.model_fields
        close = difflib.get_close_matches(str(location[-1]), list(known), n=1)
        hint = f"did you mean {close[0]!r}" if close else f"known are {', '.join(known)}"
        text = f"{place} is not a key of this kind of recipe; {hint}"
    else:
        message = problem["msg"].removeprefix("Value error, ")
        value = problem.get("input")
        shown = "" if isinstance(value, dict | list | Noun) or value is None else f" (it is {value!r})"
        text = f"{place}: {message[0].lower()}{message[1:]}{shown}"
    return f"line {line_of(root, location)}: {text}"
