"""What a degradation is: how it is made, by what it is measured, and how it is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from scrutiq.core import (
    HU,
    Applied,
    Evidence,
    Finding,
    FrozenDict,
    Image,
    Measurement,
    Modality,
    Noun,
    Severity,
    UsageError,
)
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import reformat
from scrutiq.metrics import Context, Measure

__all__ = ["Degradation", "Parameters", "VolumeDegradation", "Words"]

#: What `draw` returns and `apply` takes: numbers, words, lists and mappings of these, as JSON holds them.
Parameters = Mapping[str, Any]

_Text = Annotated[str, Field(min_length=1)]


class Words(Noun):
    """How a degradation is spoken of: one block of ``words.yaml``.

    Parameters
    ----------
    term : str
        The field's standard term, in lower case unless a proper name: "streaks from too few views".
    synonyms : tuple of str
        Other terms for the same, at least one.
    seen : str
        What a reader sees, one sentence.
    cause : str
        The technical cause, one sentence.
    cost : str
        What it costs the diagnosis, one sentence.
    mild, severe : str
        What a reader sees at that severity, as a phrase that can follow "with": "grainy soft tissue".
    attribute : {"noise", "sharpness", "contrast", "illumination", "artefacts"}
        The dimension of the rubric ``medq`` that it counts against.
    general : bool
        Whether the fault is met in every kind of image (noise, blur, exposure) rather than in this modality only.
    """

    term: _Text
    synonyms: Annotated[tuple[_Text, ...], Field(min_length=1)]
    seen: _Text
    cause: _Text
    cost: _Text
    mild: _Text
    severe: _Text
    attribute: Literal["noise", "sharpness", "contrast", "illumination", "artefacts"]
    general: bool = False

    def at(self, severity: Severity) -> str | None:
        """Return the wording for a severity, None for none."""
        return {Severity.NONE: None, Severity.MILD: self.mild, Severity.SEVERE: self.severe}[severity]


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """One degradation of a two-dimensional image: make it, measure it, name it.

    Each stands in a module of its own, as the constant ``DEGRADATION``, and has a block of the same name in the
    ``words.yaml`` of its folder. `scrutiq.degradations.get` finds it.

    Attributes
    ----------
    name : str
        ``folder.module``: ``ct.low_dose``.
    draw : callable
        ``draw(image, severity, rng)`` returns the parameters: everything that `apply` needs beside the image. It draws
        what is random from ``rng`` (always the same draws in the same order, whatever the severity, so that one seed
        gives one fault that grows) and sets the strength from ``severity``, in (0, 1]. A random field is drawn as a
        seed for it, an integer. The values are what JSON holds.
    apply : callable
        ``apply(image, parameters)`` returns the degraded image, of the same shape. It is a function of its arguments
        alone. Where the image has a ``data_range``, the result is cut to it by `make`.
    measurement : scrutiq.metrics.Measure
        What gives the degradation away in an image alone, in physical units.
    thresholds : Thresholds
        Of the measurement.
    metric : {"rmse", "ssim", "gmsd"}
        The full-reference metric in which the severity is graded: from one tenth of severity to the next, from 0.1 on,
        `distance` changes by a ratio of at most 2.
    exception : str, optional
        Why the measurement may not be used as evidence of the degradation; None where it may.
    """

    name: str
    draw: Callable[[Image, float, np.random.Generator], Parameters]
    apply: Callable[[Image, Parameters], Image]
    measurement: Measure
    thresholds: Thresholds
    metric: Literal["rmse", "ssim", "gmsd"] = "rmse"
    exception: str | None = None

    #: Whether it is made in volumes rather than in images.
    volume = False

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities whose images it can befall."""
        return _MODALITIES[self.name.partition(".")[0]]

    @cached_property
    def words(self) -> Words:
        """How it is spoken of."""
        from scrutiq.degradations.registry import words

        return words(self.name)

    def unfit(self, image: Image) -> str | None:
        """Return why it cannot be made in such an image, as one sentence, or None where it can."""
        if image.modality not in self.modalities:
            known = ", ".join(self.modalities)
            return f"{self.name} is a degradation of {known} images; this one is {image.modality}: state its modality."
        if self.name.startswith("ct.") and image.unit != HU:
            return f"{self.name} is computed from Hounsfield units; this image is in {image.unit}."
        if self.name.partition(".")[0] in _COLOUR and not (image.is_colour and image.data_range is not None):
            return f"{self.name} is computed from the colours of an RGB image with a known data range."
        return None

    def make(self, image: Image, severity: float, rng: np.random.Generator) -> Image:
        """Return the image with the degradation.

        Parameters
        ----------
        image : Image
        severity : float
            In [0, 1]; 0 returns ``image`` itself.
        rng : numpy.random.Generator
            The same seed gives the same parameters everywhere, and pixels within 1e-4 of the image's range.

        Returns
        -------
        Image
            Of the same shape, unit and range; its ``history`` ends with what was applied.

        Raises
        ------
        UsageError
            If the severity is outside [0, 1], or the image is not of a kind that can have it.
        MissingExtraError
            If what computes it is not installed.
        """
        self._check(severity, self.unfit(image))
        if severity == 0:
            return image
        return self.replay(image, self._applied(self.draw(image, severity, rng), severity))

    def replay(self, image: Image, applied: Applied) -> Image:
        """Return the image with a degradation that was recorded in a ``history``."""
        made = self.apply(image, applied.parameters)
        if made.shape != image.shape:
            raise AssertionError(f"{self.name} changed the shape of an image")
        pixels = made.pixels if image.data_range is None else np.clip(made.pixels, *image.data_range)
        return made.replace(pixels=pixels, history=(*image.history, applied))

    def measure(self, image: Image | Context) -> Measurement | None:
        """Return the value of its own measurement with the unit, or None where the image has none."""
        value = self.measurement.compute(image)
        if value is None:
            return None
        return Measurement(
            value=value, unit=self.measurement.unit_of(image.image if isinstance(image, Context) else image)
        )

    def find(self, image: Image | Context) -> Finding | None:
        """Return how severe the degradation is by its own measurement, or None where it cannot be measured."""
        measured = Degradation.measure(self, image)
        if measured is None:
            return None
        value = self.thresholds.severity(measured.value)
        evidence = Evidence(
            measurement=self.measurement.name,
            value=measured.value,
            unit=measured.unit,
            reference=self.thresholds.reference,
        )
        return Finding(degradation=self.name, severity=Severity.of(value), value=value, evidence=(evidence,))

    def distance(self, clean: Image, degraded: Image) -> float:
        """Return how far a degraded image is from the clean one by ``metric``, 0 for equal images.

        RMSE in the unit of the pixels, over all components of colour; 1 - SSIM and GMSD of what is displayed, for CT
        in HU between -160 and 240 HU.
        """
        from scrutiq.imaging import display_range
        from scrutiq.metrics import compare
        from scrutiq.metrics.reference import rmse

        if self.metric == "rmse":
            return rmse(degraded.pixels, clean.pixels)
        span = (-160.0, 240.0) if clean.unit == HU else display_range(clean)
        if span is None:
            raise UsageError(f"{self.metric} needs an image whose display range is known.")
        value = compare(degraded, clean, data_range=span, names=[self.metric])[self.metric].value
        return 1 - value if self.metric == "ssim" else value

    def _check(self, severity: float, reason: str | None) -> None:
        if not 0 <= severity <= 1:
            raise UsageError(f"a severity lies between 0 (nothing) and 1 (worst), not at {severity:g}.")
        if reason is not None:
            raise UsageError(reason)

    def _applied(self, parameters: Parameters, severity: float) -> Applied:
        # By way of JSON, so that what is applied now is what a record of it gives later.
        plain = json.loads(json.dumps(parameters, allow_nan=False))
        return Applied(degradation=self.name, severity=severity, parameters=FrozenDict(plain))


class VolumeDegradation(Degradation):
    """A degradation that arises between the slices of a volume.

    ``draw`` and ``apply`` take and give a sequence of images of one size, in the order of their position. The
    ``measurement`` is taken on a plane across the slices (`scrutiq.degradations.tools.reformat`).
    """

    volume = True

    def measure(self, image: Any) -> Measurement | None:
        """Return the value of its own measurement in the plane across the middle of the volume."""
        return super().measure(reformat(self._slices(image)))

    def find(self, image: Any) -> Finding | None:
        """Return how severe the degradation is by its own measurement, or None where it cannot be measured."""
        return super().find(reformat(self._slices(image)))

    def distance(self, clean: Any, degraded: Any) -> float:
        """Return the mean of `Degradation.distance` over the slices."""
        pairs = zip(clean, degraded, strict=True)
        return float(np.mean([super(VolumeDegradation, self).distance(a, b) for a, b in pairs]))

    def make(self, image: Any, severity: float, rng: np.random.Generator) -> Any:
        """Return the volume, a tuple of images, with the degradation; see `Degradation.make`.

        Raises
        ------
        UsageError
            If it is given one image: it arises between slices.
        """
        slices = self._slices(image)
        self._check(severity, next((reason for one in slices if (reason := self.unfit(one))), None))
        if severity == 0:
            return slices
        parameters = self.draw(slices, severity, rng)  # type: ignore[arg-type]
        return self.replay(slices, self._applied(parameters, severity))

    def replay(self, image: Any, applied: Applied) -> Any:
        """Return the volume with a degradation that was recorded in a ``history``."""
        slices = self._slices(image)
        made: Sequence[Image] = self.apply(slices, applied.parameters)  # type: ignore[arg-type, assignment]
        return tuple(
            after.replace(
                pixels=after.pixels if before.data_range is None else np.clip(after.pixels, *before.data_range),
                history=(*before.history, applied),
            )
            for before, after in zip(slices, made, strict=True)
        )

    def _slices(self, volume: Any) -> tuple[Image, ...]:
        if isinstance(volume, Image) or len(volume) < 2:
            raise UsageError(f"{self.name} arises between the slices of a volume; give a volume, not one image.")
        slices = tuple(volume)
        if len({one.shape for one in slices}) > 1:
            raise UsageError(f"{self.name} needs slices of one size.")
        return slices


_COLOUR = ("fundus", "endoscopy", "histopathology")
_MODALITIES = {
    "ct": (Modality.CT,),
    "mr": (Modality.MR,),
    "xa": (Modality.XA,),
    "fundus": (Modality.FUNDUS,),
    "endoscopy": (Modality.ENDOSCOPY,),
    "histopathology": (Modality.HISTOPATHOLOGY,),
    "any": (Modality.CT, Modality.MR, Modality.XA, Modality.FUNDUS, Modality.ENDOSCOPY, Modality.HISTOPATHOLOGY),
}
