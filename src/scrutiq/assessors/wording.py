"""How written reports put things: kinds of image, numbers with their units, lists."""

from __future__ import annotations

from collections.abc import Sequence

from scrutiq.core import Modality

__all__ = ["beyond", "kind", "listed", "number", "opened", "unit"]

_KINDS = {
    Modality.CT: "CT image",
    Modality.MR: "MR image",
    Modality.XA: "X-ray angiogram",
    Modality.FUNDUS: "Fundus photograph",
    Modality.ENDOSCOPY: "Endoscopic frame",
    Modality.HISTOPATHOLOGY: "Histopathology image",
}


def kind(modality: Modality) -> str:
    """Return what an image of a modality is called."""
    return _KINDS.get(modality, "Image")


def opened(text: str) -> str:
    """Return a text with its first letter large."""
    return text[:1].upper() + text[1:]


def unit(name: str) -> str:
    """Return a unit as it follows a number, with the space before it."""
    return "" if name == "1" else f" {name}s" if name in ("grey level", "pixel") else f" {name}"


def number(value: float | None) -> str:
    """Return a number of three digits."""
    return "" if value is None else f"{value:.3g}"


def beyond(value: float, reference: tuple[float | None, float | None]) -> tuple[str, str]:
    """Return a value, and the end of its reference range that it lies beyond, with as many digits as tell them apart.

    ``("31.2", "above 30")``; the value lies beyond one end.
    """
    low, high = reference
    over = high is not None and value > high
    bound = number(high if over else low)
    shown = next((text for digits in range(3, 17) if (text := f"{value:.{digits}g}") != bound), f"{value:.17g}")
    return shown, f"{'above' if over else 'below'} {bound}"


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
