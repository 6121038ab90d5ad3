"""Which assessor and which rubric, where the user does not say; and what a rubric asks of a case."""

from __future__ import annotations

from importlib import import_module

from scrutiq import rubrics
from scrutiq.core import Assessor, AssessorUri, Case, Modality, Role, Rubric, UsageError

__all__ = ["default_assessor", "default_rubric", "open_assessor", "why_not"]

#: Scheme to "module:function"; the function takes an `AssessorUri`. Imported when first asked for.
SCHEMES = {
    "measured": "scrutiq.assessors.measured:open_measured",
    "net": "scrutiq.assessors.net:open_net",
    "default": "scrutiq.assessors.default:open_default",
}


def open_assessor(uri: str) -> Assessor:
    """Return the assessor that a URI names.

    Raises
    ------
    UsageError
        If the scheme is unknown, or the assessor refuses the model or an option.
    """
    parsed = AssessorUri.parse(uri)
    target = SCHEMES.get(parsed.scheme)
    if target is None:
        raise UsageError(f"there is no assessor {uri!r}; those here are: {', '.join(f'{s}:' for s in SCHEMES)}.")
    module, _, function = target.partition(":")
    assessor: Assessor = getattr(import_module(module), function)(parsed)
    return assessor


def default_assessor() -> str:
    """Return the URI of the best assessor that is at hand without a network.

    ``default:`` (`scrutiq.assessors.default`), or ``measured:`` where Scrutiq was installed without weights.
    """
    from scrutiq.assessors.net import installed

    return "default:" if installed() else "measured:"


def default_rubric(case: Case) -> Rubric:
    """Return the rubric that follows from a case.

    CT is judged on ``ldct``, angiography that comes with mask and contrast on ``angio``, everything else on ``medq``.
    """
    modality = case.target.modality
    if modality is Modality.CT:
        return rubrics.load("ldct")
    if modality is Modality.XA and {Role.MASK, Role.CONTRAST} <= case.images.keys():
        return rubrics.load("angio")
    return rubrics.load("medq")


def why_not(case: Case, rubric: Rubric) -> str | None:
    """Return why a rubric cannot be asked of a case, whatever the assessor; None where it can.

    The reasons: the modality is unknown or not one of the rubric's, or an image in a required role is missing.
    """
    modality = case.target.modality
    if modality is Modality.UNKNOWN:
        return "The file does not say what kind of image it is; give --modality or a sidecar file."
    if modality not in rubric.modalities:
        known = ", ".join(rubric.modalities)
        return f"The rubric {rubric.name} was made for {known}; this image is {modality}."
    if missing := rubric.missing_roles(tuple(case.images)):
        roles = " and ".join(missing)
        return f"The rubric {rubric.name} also needs an image in the role {roles}; give --role or a manifest."
    return None
