"""`Case`: what is judged."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from scrutiq.core.image import Image
from scrutiq.core.noun import FrozenDict, Noun

__all__ = ["Case", "Role"]


class Role(StrEnum):
    """What an image is to a case."""

    TARGET = "target"
    REFERENCE = "reference"
    MASK = "mask"
    CONTRAST = "contrast"
    OTHER = "other"


class Case(Noun):
    """One image to judge, with the images that the rubric asks for beside it.

    Parameters
    ----------
    id : str
        Stable and free of anything that identifies a patient: it is written to every report.
    images : mapping of Role to Image
        ``target`` is required.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]
    images: FrozenDict[Role, Image]

    @model_validator(mode="after")
    def _check(self) -> Case:
        if Role.TARGET not in self.images:
            raise ValueError("a case has an image in the role 'target'")
        return self

    @property
    def target(self) -> Image:
        return self.images[Role.TARGET]

    @property
    def reference(self) -> Image | None:
        return self.images.get(Role.REFERENCE)
