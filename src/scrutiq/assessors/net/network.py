"""`Network`: a folder of weights at work, from a case to kinds, scores, evidence and how unusual the image is.

It looks first (`Network.look`: the backbone, statistics, texture), then says (`Network.say`: heads and maps), for which
it also takes what was measured. Looking and measuring do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scrutiq import rubrics as scales
from scrutiq.assessors.net.card import Card, read_card
from scrutiq.assessors.net.domain import DomainModel
from scrutiq.assessors.net.embedding import Backbone
from scrutiq.assessors.net.gauges import gauge
from scrutiq.assessors.net.look import Look, look
from scrutiq.assessors.net.planes import STRIDE, levels
from scrutiq.assessors.net.readers import LINEAR, Linear, Readers
from scrutiq.assessors.net.trees import Trees, heads_file
from scrutiq.core import Case, DeclinedError, Image, Modality, Role
from scrutiq.metrics import Context

__all__ = ["KindPrediction", "Looks", "Network", "Prediction", "ScorePrediction", "load"]

Floats = npt.NDArray[np.float32]

#: Shortest side that is judged, pixels.
SMALLEST = 64


@dataclass(frozen=True)
class KindPrediction:
    """What is said of one degradation.

    Attributes
    ----------
    probability : float
        That it is present, calibrated.
    severity : float
        That it would have if it is present, in [0, 1].
    present : bool
        Whether it is more probable than none and every other.
    """

    probability: float
    severity: float
    present: bool


@dataclass(frozen=True)
class ScorePrediction:
    """What is said of one dimension of a rubric.

    Attributes
    ----------
    score : float
        On the rubric's scale.
    sd : float
        Of the predictive distribution, a Gaussian that is cut at the range.
    interval : tuple of float
        Conformal at the card's coverage, cut at the range; holds ``score``.
    """

    score: float
    sd: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Looks:
    """What is seen of a case.

    Attributes
    ----------
    own : Look
        Of the target.
    reference : Look, optional
        Of the reference, where there is one that can be compared.
    other : ndarray of uint8, shape (H, W), optional
        Display levels of the other image, likewise.
    evidence : ndarray of float32, shape (ceil(H / 16), ceil(W / 16))
        How degraded each cell of the target looks, in [0, 1].
    """

    own: Look
    reference: Look | None
    other: npt.NDArray[np.uint8] | None
    evidence: Floats


@dataclass(frozen=True)
class Prediction:
    """What the weights say of a case.

    Attributes
    ----------
    kinds : mapping of str to KindPrediction
        The degradations of the modality that the weights know.
    scores : mapping of str to mapping of str to ScorePrediction
        By rubric and dimension.
    evidence : ndarray of float32, shape (H, W)
        How degraded each place looks, in [0, 1].
    unusual : float
        How unlike the images of its modality the image is; above ``card.domain.threshold`` nothing should be judged.
    """

    kinds: Mapping[str, KindPrediction]
    scores: Mapping[str, Mapping[str, ScorePrediction]]
    evidence: npt.NDArray[np.float32]
    unusual: float


class Network:
    """Weights at work.

    Parameters
    ----------
    folder : Path
    card : Card
    """

    def __init__(self, folder: Path, card: Card) -> None:
        self.card = card
        self.backbone = Backbone(folder / "backbone.onnx")
        self._folder = folder
        self._trees: dict[tuple[Modality, bool], Trees] = {}
        #: Maps from a look to the overall grade of ``medq``, for modalities that people graded.
        self._grades = (
            {modality: Linear.read(folder / "grades.npz", modality.value) for modality in card.graded}
            if card.graded
            else {}
        )
        self._readers = Readers.read(folder) if LINEAR in card.files else None
        self._domain = DomainModel.from_bytes((folder / "domain.npz").read_bytes())

    def predict(self, case: Case, rubrics: Collection[str] | None = None) -> Prediction:
        """Return what the weights say of a case: `look`, then `say`."""
        return self.say(case, self.look(case), Context(case.target), rubrics)

    def look(self, case: Case) -> Looks:
        """Return what is seen of a case.

        Raises
        ------
        DeclinedError
            If the weights do not know the modality, or the image is too small.
        """
        image = case.target
        if image.modality not in self.card.modalities:
            known = ", ".join(self.card.modalities)
            reason = f"The weights {self.card.name} were trained on {known}; this image is {image.modality}."
            raise DeclinedError(reason)
        if min(image.shape) < SMALLEST:
            raise DeclinedError(f"The weights need at least {SMALLEST} pixels on each side.")
        reference, other = (self._beside(case, role) for role in (Role.REFERENCE, Role.OTHER))
        shown = levels(image)
        return Looks(
            own=look(shown),
            reference=None if reference is None else look(levels(reference)),
            other=None if other is None else levels(other),
            evidence=self.backbone.evidence(shown),
        )

    def say(self, case: Case, looks: Looks, context: Context, rubrics: Collection[str] | None = None) -> Prediction:
        """Return what the weights say of a case that was looked at.

        Parameters
        ----------
        case : Case
        looks : Looks
            What `look` returned for it.
        context : Context
            Of the target: what was measured there before is not measured again.
        rubrics : collection of str, optional
            Those to score; all that the weights know of the modality where it is None.
        """
        modality, own = case.target.modality, looks.own
        reference = None if looks.reference is None else self._beside(case, Role.REFERENCE)
        logits, severities, proxy = self._heads(modality, looks, context, reference)
        compared = looks.reference is not None
        probability = np.exp(self.card.kind_scale[modality][compared] * (logits - logits.max()))
        probability /= probability.sum()
        wanted = self.card.rubrics.keys() if rubrics is None else set(rubrics) & self.card.rubrics.keys()
        scores: dict[str, Mapping[str, ScorePrediction]] = {}
        if proxy is not None and "ldct" in wanted:
            scores["ldct"] = self._scored("ldct", {"overall": proxy}, compared)
        grey = own.shown.ndim == 2
        if modality is Modality.CT and "ct-denoising" in wanted and self._readers is not None and grey:
            normal = None if looks.reference is None else looks.reference.shown
            said = self._readers.score(own, normal, looks.other)
            scores["ct-denoising"] = self._scored("ct-denoising", said, compared)
        if "medq" in wanted and modality in self._grades:
            grade = float(self._grades[modality](own.vector.astype(np.float64))[0])
            scores["medq"] = self._scored("medq", {"overall": grade}, False)
        kinds = {}
        for index, name in enumerate(self.card.kinds(modality)):
            if name not in self.card.silent:
                called = index + 1 == int(probability.argmax())
                kinds[name] = KindPrediction(float(probability[1 + index]), float(severities[index]), called)
        unusual = float(self._domain.unusual(own.statistics, modality.value))
        return Prediction(kinds, scores, _spread(looks.evidence, case.target.shape), unusual)

    def evidence(self, case: Case) -> Floats:
        """Return how degraded each place of a case looks, float32, shape (H, W), in [0, 1]."""
        return _spread(self.backbone.evidence(levels(case.target)), case.target.shape)

    def _beside(self, case: Case, role: Role) -> Image | None:
        """Return another image of the case, or None where there is none or it cannot be compared."""
        image: Image | None = case.images.get(role)
        if image is None or image.shape != case.target.shape or image.is_colour != case.target.is_colour:
            return None
        return image

    def _heads(
        self, modality: Modality, looks: Looks, context: Context, reference: Image | None
    ) -> tuple[Floats, Floats, float | None]:
        """Return logits of none and the kinds of a modality, their severities, and the proxy where there is one."""
        values = np.concatenate([gauge(context), looks.own.vector])
        if looks.reference is not None and reference is not None:
            values = np.concatenate([values, values - np.concatenate([gauge(reference), looks.reference.vector])])
        key = (modality, looks.reference is not None)
        if key not in self._trees:
            self._trees[key] = Trees(self._folder / heads_file(*key))
        raw = self._trees[key](values)
        count = 1 + len(self.card.kinds(modality))
        logits, severities, rest = np.split(raw, [count, 2 * count - 1])
        return logits, np.clip(severities, 0, 1), float(rest[0]) if rest.size else None

    def _scored(self, rubric: str, said: Mapping[str, float], compared: bool) -> dict[str, ScorePrediction]:
        card = self.card.rubrics[rubric]
        spreads = card.with_reference if compared else card.alone
        found = {}
        for name, value in said.items():
            if (spread := spreads.get(name)) is None:
                continue
            low, high = scales.load(rubric).dimension(name).range
            score = float(np.clip(value, low, high))
            interval = (max(low, score - spread.half_width), min(high, score + spread.half_width))
            found[name] = ScorePrediction(score, spread.sd, interval)
        return found


def _spread(cells: Floats, shape: tuple[int, ...]) -> Floats:
    """Return the values of cells at each pixel."""
    return np.kron(cells, np.ones((STRIDE, STRIDE), np.float32))[: shape[0], : shape[1]]


def load(folder: Path) -> Network:
    """Load the weights of a folder, after each of its files was checked against the card.

    Raises
    ------
    InputError
        If the card or a file is missing, or a file is not the one that was trained.
    """
    return Network(folder, read_card(folder))
