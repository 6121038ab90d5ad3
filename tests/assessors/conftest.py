"""A network whose answers are given, so that what is made of them can be tested one by one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from scrutiq import rubrics
from scrutiq.assessors.net import NetAssessor
from scrutiq.assessors.net.card import Card, RubricCard, Spread
from scrutiq.assessors.net.domain import DomainCard
from scrutiq.assessors.net.network import KindPrediction, Prediction, ScorePrediction
from scrutiq.core import Case, DeclinedError, Image, Modality
from scrutiq.degradations import names
from scrutiq.imaging import read
from scrutiq.metrics import Context

DEMO = Path(__file__).parents[2] / "demo"


@dataclass
class Given:
    """Says what it was given, whatever the case."""

    card: Card
    kinds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, ScorePrediction]] = field(default_factory=dict)
    cells: np.ndarray | None = None
    unusual: float = 0.0
    declines: str | None = None
    asked: list[Collection[str] | None] = field(default_factory=list)

    def look(self, case: Case) -> object:
        if self.declines:
            raise DeclinedError(self.declines)
        return object()

    def say(self, case: Case, looks: object, context: Context, rubrics: Collection[str] | None = None) -> Prediction:
        assert context.image is case.target
        self.asked.append(rubrics)
        given = {name: self.kinds.get(name, (0.02, 0.0)) for name in self.card.degradations}
        kinds = {name: KindPrediction(p, severity, p >= 0.5) for name, (p, severity) in given.items()}
        return Prediction(kinds, self.scores, self.evidence(case), self.unusual)

    def evidence(self, case: Case) -> np.ndarray:
        return np.zeros(case.target.shape, np.float32) if self.cells is None else self.cells


def _card(**changes: object) -> Card:
    spread = {"overall": Spread(sd=0.4, half_width=0.7)}
    fields: dict[str, object] = {
        "name": "net_base",
        "version": "1",
        "files": {},
        "modalities": (Modality.CT, Modality.MR),
        "degradations": tuple(n for n in names("CT") if n not in ("ct.windmill", "ct.slice_thickness")),
        "kind_scale": {Modality.CT: (1.0, 1.0)},
        "rubrics": {
            "ldct": RubricCard(
                hash=rubrics.load("ldct").hash, supervision="proxy", note="A formula of dose and views.", alone=spread
            ),
            "ct-denoising": RubricCard(
                hash=rubrics.load("ct-denoising").hash, supervision="readers", note="Fitted to 12 denoisers."
            ),
        },
        "domain": DomainCard(threshold=3.0, modalities=("CT", "MR"), kinds=("CT", "MR"), statistics=0),
        "data": ("ct_siim_tcga", "mri_t1_defaced"),
        "licences": (),
        "recipe_hash": "0" * 64,
    }
    return Card(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def ct() -> Image:
    """A quiet slice of a real head of the demo."""
    image = read(DEMO / "images/ct/slice_1.dcm", frame=0)
    assert isinstance(image, Image)
    return image


@pytest.fixture
def make_card() -> Callable[..., Card]:
    return _card


@pytest.fixture
def make_judge() -> Callable[..., NetAssessor]:
    """Return a function that makes ``net:base`` of a network that says what it is given."""

    def make(card: Card | None = None, accepted: bool = False, **said: object) -> NetAssessor:
        card = card or _card()
        network = Given(card, **said)  # type: ignore[arg-type]
        return NetAssessor("net:base", card, lambda: network, accepted)  # type: ignore[arg-type, return-value]

    return make
