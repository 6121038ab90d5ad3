"""`Card`: what a folder of weights says about itself, ``model.json``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from scrutiq.assessors.net.domain import DomainCard
from scrutiq.core import InputError, Modality
from scrutiq.core.noun import FrozenDict, Noun

__all__ = ["Card", "RubricCard", "Spread", "read_card"]

CARD = "model.json"


class Spread(Noun):
    """How far a score can be off.

    Parameters
    ----------
    sd : float
        Standard deviation of the predictive distribution, in units of the score.
    half_width : float
        Of the interval, by split-conformal prediction at the card's coverage.
    """

    sd: Annotated[float, Field(gt=0)]
    half_width: Annotated[float, Field(gt=0)]


class RubricCard(Noun):
    """A rubric that the weights judge.

    Parameters
    ----------
    hash : str
        Of the rubric that they were trained for.
    supervision : {"readers", "proxy"}
        Whether people rated what it was trained on, or a formula did.
    note : str
        What a reader of its scores must know.
    alone, with_reference : mapping of str to Spread
        By dimension, without and with a reference; empty where it cannot be judged so.
    """

    hash: str
    supervision: Literal["readers", "proxy"]
    note: str
    alone: FrozenDict[str, Spread] = FrozenDict()
    with_reference: FrozenDict[str, Spread] = FrozenDict()


class Card(Noun):
    """What is in a folder of weights, and how its outputs are read.

    Parameters
    ----------
    name, version : str
    files : mapping of str to str
        SHA-256 by file name.
    modalities : tuple of Modality
    degradations : tuple of str
        Of all modalities; those of one are in the order of the outputs of its heads.
    silent : tuple of str
        Those that the heads tell apart from faults but that are none, and that are not reported.
    kind_scale : mapping of Modality to (float, float)
        By what the logits of the kinds are multiplied, without and with a reference, so that their softmax is
        calibrated (temperature scaling on the validation part).
    rubrics : mapping of str to RubricCard
    graded : tuple of Modality
        Those whose ``medq`` grade was learnt from people; of others it follows from the severities.
    domain : DomainCard
    coverage : float
        Of the intervals.
    data : tuple of str
        Bases that were trained on.
    licences : tuple of str
        Whom to name.
    recipe_hash : str
    notice : str, optional
        What has to be accepted before the weights are used.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    version: str
    files: FrozenDict[str, str]
    modalities: tuple[Modality, ...]
    degradations: tuple[str, ...]
    silent: tuple[str, ...] = ()
    kind_scale: FrozenDict[Modality, tuple[float, float]]
    rubrics: FrozenDict[str, RubricCard]
    graded: tuple[Modality, ...] = ()
    domain: DomainCard
    coverage: Annotated[float, Field(gt=0, lt=1)] = 0.9
    data: tuple[str, ...]
    licences: tuple[str, ...]
    recipe_hash: str
    notice: str | None = None

    @property
    def hash(self) -> str:
        """SHA-256 of the card, and so of all that it lists."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def kinds(self, modality: Modality) -> tuple[str, ...]:
        """Return the degradations of a modality that the weights know."""
        mine = (modality.value.lower(), "any")
        return tuple(name for name in self.degradations if name.partition(".")[0] in mine)


def read_card(folder: Path) -> Card:
    """Read the card of a folder of weights and check every file that it lists.

    Raises
    ------
    InputError
        If there is no card, it is not one, or a file is missing or is not the one that was trained.
    """
    path = folder / CARD
    try:
        card = Card.model_validate_json(path.read_bytes())
    except OSError:
        reason = f"there are no weights here: {CARD} is missing; name a folder that training wrote."
        raise InputError(reason, str(folder)) from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise InputError(f"not a card of weights ({where}); train or install them again.", str(path)) from None
    for name, digest in card.files.items():
        try:
            content = (folder / name).read_bytes()
        except OSError:
            reason = "a file of the weights is missing; train or install them again."
            raise InputError(reason, str(folder / name)) from None
        if hashlib.sha256(content).hexdigest() != digest:
            reason = "the file is not the one that was trained; install the weights again."
            raise InputError(reason, str(folder / name))
    return card
