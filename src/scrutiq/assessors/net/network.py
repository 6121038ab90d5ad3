"""`Network`: a folder of weights at work, from a case to kinds, scores, evidence and how unusual the image is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq import rubrics as scales
from scrutiq.assessors.net.card import Card, read_card
from scrutiq.assessors.net.domain import DomainModel
from scrutiq.assessors.net.embedding import Backbone
from scrutiq.assessors.net.look import Look, look
from scrutiq.assessors.net.planes import STRIDE, levels
from scrutiq.assessors.net.readers import Linear, Readers
from scrutiq.core import Case, DeclinedError, Image, Modality, Role

__all__ = ["KindPrediction", "Network", "Prediction", "ScorePrediction", "load"]

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
        Expected, in [0, 1]; 0 is absent.
    """

    probability: float
    severity: float


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
        import onnxruntime

        self.card = card
        self.backbone = Backbone(folder / "backbone.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._heads: Any = onnxruntime.InferenceSession(
            str(folder / "heads.onnx"), options, providers=["CPUExecutionProvider"]
        )
        #: Maps from a look to the overall grade of ``medq``, for modalities that people graded.
        self._grades = (
            {modality: Linear.read(folder / "grades.npz", modality.value) for modality in card.graded}
            if card.graded
            else {}
        )
        self._readers = Readers.read(folder / "readers.npz") if "readers.npz" in card.files else None
        self._domain = DomainModel.from_bytes((folder / "domain.npz").read_bytes())

    def predict(self, case: Case, rubrics: Collection[str] | None = None) -> Prediction:
        """Return what the weights say of a case.

        Parameters
        ----------
        case : Case
        rubrics : collection of str, optional
            Those to score; all that the weights know of the modality where it is None.

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
        shown = levels(image)
        own = look(self.backbone, shown)
        beside = self._beside(case, Role.REFERENCE)
        reference = None if beside is None else look(self.backbone, beside)
        logits, severities, proxy = self._run(image.modality, own, reference)
        slope, offset = self.card.kind_scale[image.modality]
        wanted = self.card.rubrics.keys() if rubrics is None else set(rubrics) & self.card.rubrics.keys()
        scores: dict[str, Mapping[str, ScorePrediction]] = {}
        if image.modality is Modality.CT and "ldct" in wanted:
            scores["ldct"] = self._scored("ldct", {"overall": proxy}, reference is not None)
        if image.modality is Modality.CT and "ct-denoising" in wanted and self._readers is not None and shown.ndim == 2:
            said = self._readers.score(own, reference, self._beside(case, Role.OTHER))
            scores["ct-denoising"] = self._scored("ct-denoising", said, reference is not None)
        if "medq" in wanted and image.modality in self._grades:
            grade = float(self._grades[image.modality](own.vector.astype(np.float64))[0])
            scores["medq"] = self._scored("medq", {"overall": grade}, False)
        mine = _kinds_of(image.modality)
        kinds = {}
        for index, name in enumerate(self.card.degradations):
            if name.partition(".")[0] in mine and name not in self.card.silent:
                probability = float(1 / (1 + np.exp(-np.clip(slope * logits[index] + offset, -30, 30))))
                kinds[name] = KindPrediction(probability, float(np.clip(probability * severities[index], 0, 1)))
        height, width = image.shape
        evidence = np.kron(own.embedding.evidence, np.ones((STRIDE, STRIDE), np.float32))[:height, :width]
        unusual = float(self._domain.unusual(own.domain, image.modality.value))
        return Prediction(kinds, scores, evidence, unusual)

    def _beside(self, case: Case, role: Role) -> npt.NDArray[np.uint8] | None:
        """Return the display levels of another image of the case, or None where it cannot be compared."""
        image: Image | None = case.images.get(role)
        if image is None or image.shape != case.target.shape or image.is_colour != case.target.is_colour:
            return None
        return levels(image)

    def _run(
        self, modality: Modality, own: Look, reference: Look | None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], float]:
        vector = own.vector
        difference = np.zeros_like(vector) if reference is None else vector - reference.vector
        hot = np.array([[one is modality for one in self.card.modalities]], np.float32)
        logits, severities, proxy = self._heads.run(
            ["kind", "severity", "proxy"],
            {
                "vector": vector[None],
                "difference": difference[None],
                "given": np.full((1, 1), reference is not None, np.float32),
                "modality": hot,
            },
        )
        return logits[0], severities[0], float(proxy[0, 0])

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


def _kinds_of(modality: Modality) -> tuple[str, str]:
    return (modality.value.lower(), "any")


def load(folder: Path) -> Network:
    """Load the weights of a folder, after each of its files was checked against the card.

    Raises
    ------
    InputError
        If the card or a file is missing, or a file is not the one that was trained.
    """
    return Network(folder, read_card(folder))
