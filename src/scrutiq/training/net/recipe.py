"""The recipe of a set of weights of `net:`: data, network, schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from scrutiq.core import InputError, Modality
from scrutiq.core.noun import Noun
from scrutiq.datasets.bases import base
from scrutiq.training.recipe import read_recipe

__all__ = ["Backbone", "ModalityData", "NetRecipe", "Schedule", "is_net_recipe", "load_net_recipe"]

Counts = dict[str, int]


class ModalityData(Noun):
    """What is made of one modality.

    Parameters
    ----------
    train : tuple of str
        Bases that are split by group.
    test : tuple of str
        Bases that are used for the test only.
    parts : mapping
        Shares of the groups of ``train``, 1 in all.
    each : mapping
        Samples of each degradation, by part.
    factorial, denoised : mapping
        CT: draws of the sixteen cells of ``ldct-factorial``; denoised slices.
    longest : int
        Longest side of a scene, pixels; 0 leaves it as it is.
    """

    train: tuple[str, ...]
    test: tuple[str, ...] = ()
    parts: dict[str, float]
    each: Counts
    factorial: Counts = {"train": 0, "validation": 0, "test": 0}  # noqa: RUF012
    denoised: Counts = {"train": 0, "validation": 0, "test": 0}  # noqa: RUF012
    longest: Annotated[int, Field(ge=0)] = 0


class Backbone(Noun):
    """The network.

    Parameters
    ----------
    architecture : {"convolutional", "transformer"}
    widths : tuple of int
        Channels by stage.
    blocks : tuple of int
        Residual blocks, or attention blocks, by stage.
    """

    architecture: Literal["convolutional", "transformer"] = "convolutional"
    widths: tuple[int, ...]
    blocks: tuple[int, ...]


class Schedule(Noun):
    """How the backbone is trained.

    Parameters
    ----------
    steps, batch : int
    crop : tuple of int
        Least and largest side of a crop, pixels, multiples of 32.
    thumbnail : int
        Side of the reduced whole, pixels.
    learning_rate, weight_decay : float
        Peak rate of AdamW under a one-cycle schedule.
    bfloat16 : bool
    """

    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=2)]
    crop: tuple[int, int]
    learning_rate: float
    weight_decay: float = 0.02
    bfloat16: bool = True


class NetRecipe(Noun):
    """A set of weights.

    Parameters
    ----------
    name : str
    shipped : bool
        Whether the weights are shipped; then every base that is trained on must allow it.
    seed : int
    mildest : float
        Least severity that is made.
    second_fault : float
        Share of the training samples with a second fault.
    variants : int
        Scenes that are made of each base of the training: itself, and others mirrored, turned or in another tone.
    modalities : mapping
    graded : mapping of Modality to str
        Bases with grades of people for the rubric ``medq``: today ``fundus_eyeq200``.
    samples : int, optional
        Most samples that are made; which are left out is as good as random.
    backbone : Backbone or "base"
        "base" takes that of ``net:base`` as it is shipped.
    schedule : Schedule, optional
        None where the backbone is taken.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    shipped: bool
    seed: int
    mildest: float = 0.08
    second_fault: float = 0.15
    variants: Annotated[int, Field(ge=1)] = 1
    modalities: dict[Modality, ModalityData]
    graded: dict[Modality, Literal["fundus_eyeq200"]] = {}  # noqa: RUF012
    samples: int | None = None
    backbone: Backbone | Literal["base"]
    schedule: Schedule | None = None
    notice: str | None = None

    @model_validator(mode="after")
    def _schedule(self) -> NetRecipe:
        if (self.schedule is None) != (self.backbone == "base"):
            raise ValueError("a backbone that is trained has a schedule, one that is taken has none")
        if self.shipped and self.graded:
            raise ValueError("fundus_eyeq200 may not be used for weights that are shipped")
        return self

    @field_validator("modalities")
    @classmethod
    def _known(cls, value: dict[Modality, ModalityData]) -> dict[Modality, ModalityData]:
        for data in value.values():
            for name in (*data.train, *data.test):
                base(name)
        return value

    def shortened(self) -> NetRecipe:
        """Return the same run made as short as it can be: every step of it is taken, nothing is learnt."""
        small: dict[Modality, ModalityData] = {}
        for modality, data in self.modalities.items():
            one = {part: min(1, count) for part, count in data.each.items()}
            two = {part: min(2, count) for part, count in data.denoised.items()}
            first = {part: min(1, count) for part, count in data.factorial.items()}
            counts = {"each": one, "denoised": two, "factorial": first}
            small[modality] = data.model_copy(update=counts)
        update: dict[str, object] = {"modalities": small, "variants": 1, "samples": None, "second_fault": 0.0}
        if isinstance(self.backbone, str) or self.schedule is None:
            return self.model_copy(update=update)
        backbone = self.backbone.model_copy(
            update={"widths": tuple(8 for _ in self.backbone.widths), "blocks": tuple(1 for _ in self.backbone.blocks)}
        )
        schedule = self.schedule.model_copy(update={"steps": 3, "batch": 4, "crop": (96, 96)})
        return self.model_copy(update={**update, "backbone": backbone, "schedule": schedule})

    def check_licences(self) -> None:
        """Refuse to train weights that are shipped on a base that does not allow it.

        Raises
        ------
        InputError
        """
        for data in self.modalities.values():
            for name in data.train:
                if self.shipped and not base(name).shipped_weights:
                    raise InputError(
                        f"the base {name} ({base(name).licence}) may not be used for weights that are shipped; train "
                        "on other bases, or set shipped: false and a notice."
                    )


def is_net_recipe(path: str | Path) -> bool:
    """Return whether a file is meant to be such a recipe: whether it has ``modalities``."""
    try:
        found = yaml.safe_load(Path(path).read_text("utf-8"))
    except (OSError, yaml.YAMLError):
        return False
    return isinstance(found, dict) and "modalities" in found


def load_net_recipe(path: str | Path) -> NetRecipe:
    """Read a recipe.

    Raises
    ------
    InputError
        If the file cannot be read, is not a recipe, or trains shipped weights on a base that does not allow it.
    """
    recipe = read_recipe(path, NetRecipe)
    recipe.check_licences()
    return recipe
