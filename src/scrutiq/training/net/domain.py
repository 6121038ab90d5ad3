"""Fits and tests the domain check of `scrutiq.assessors.net.domain`.

The classifier and the Gaussians are fitted on the part ``fit``. How the two are weighed, and the one threshold, are set
on pictures that they were not fitted on: the part ``validation``, and the part ``fit`` with each fold of sources judged
by a fit to the others, since some kinds have too few sources for both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import optimize

from scrutiq.assessors.net.domain import DomainCard, DomainModel
from scrutiq.core import FrozenDict, Modality, UsageError
from scrutiq.training.net.looks import Row

__all__ = ["Declined", "Fit", "evaluate", "fit"]

Array = npt.NDArray[np.float64]

_COLOUR = frozenset({Modality.FUNDUS.value, Modality.ENDOSCOPY.value, Modality.HISTOPATHOLOGY.value})
_FOLDS = 5
#: Strength of the ridge on the classifier's weights, and of the shrinkage of the covariances.
_RIDGE, _SHRINK = 3.0, 0.3
_COMPONENTS = 48
#: Share of the domain within the reference distance.
_USUAL = 0.95


@dataclass(frozen=True)
class Fit:
    """A fitted check.

    Attributes
    ----------
    model : DomainModel
    card : DomainCard
    """

    model: DomainModel
    card: DomainCard


@dataclass(frozen=True)
class Declined:
    """How many pictures of one kind are declined under one claim.

    Attributes
    ----------
    claim : str
        What they are said to be.
    kind : str
        What they are; ``good``, ``varied`` and ``degraded`` are in the domain.
    pictures, sources : int
    share : float
    interval : tuple of float
        95 %, of Wilson, as if the pictures were independent, which those of one source are not.
    missed : tuple of str
        Sources of outliers that were not declined, or of the domain that were.
    """

    claim: str
    kind: str
    pictures: int
    sources: int
    share: float
    interval: tuple[float, float]
    missed: tuple[str, ...]


def label(row: Row) -> str:
    """Return the kind that the classifier is to find: colour that was made grey is a kind of its own."""
    return f"{row.kind} grey" if row.grey else row.kind


def fit(rows: Sequence[Row], modalities: Sequence[str], statistics: int) -> Fit:
    """Fit the check and set its threshold.

    Parameters
    ----------
    rows : sequence of Row
        Of the parts ``fit`` and ``validation``; others are not looked at.
    modalities : sequence of str
        The domain.
    statistics : int
        How many of the features are statistics, for the card.

    Raises
    ------
    UsageError
        If a modality has no picture to fit on.
    """
    train = [row for row in rows if row.part == "fit"]
    for modality in modalities:
        if not any(row.kind == modality and not row.grey for row in train):
            raise UsageError(f"there is no picture of {modality} to fit the domain check on.")
    model = _fit_model(train, modalities)
    held = [(model, row) for row in rows if row.part == "validation"]
    for fold in range(_FOLDS):
        kept = [row for row in train if _fold(row.source) != fold]
        out = [row for row in train if _fold(row.source) == fold]
        if out and all(any(row.kind == m for row in kept) for m in modalities):
            part = _fit_model(kept, modalities)
            held += [(part, row) for row in out if row.state != "drawn"]
    scores = _scores(held, modalities)
    model = replace(model, blend=_blend(scores))
    values = [(replace(by, blend=model.blend), row) for by, row in held]
    inside, outside, table = _judged(values, modalities)
    threshold = _threshold(inside, outside)
    declined = {kind: float((np.array(found) > threshold).mean()) for kind, (found, _) in table.items()}
    card = DomainCard(
        threshold=threshold,
        modalities=tuple(modalities),
        kinds=model.kinds,
        statistics=statistics,
        declined=FrozenDict({kind: round(share, 4) for kind, share in declined.items()}),
        sources=FrozenDict({kind: len(sources) for kind, (_, sources) in table.items()}),
    )
    return Fit(model, card)


def evaluate(fitted: Fit, rows: Sequence[Row]) -> list[Declined]:
    """Return how much is declined, by claim and kind.

    Parameters
    ----------
    fitted : Fit
    rows : sequence of Row
        Usually those of the part ``test``. Each is tried under every claim but that of a colour picture of the domain
        made grey under its own.
    """
    found: list[Declined] = []
    for claim in fitted.card.modalities:
        groups: dict[str, list[Row]] = {}
        for row in rows:
            own = row.kind == claim
            if own and row.grey:
                continue
            groups.setdefault(row.state if own else label(row), []).append(row)
        for kind, members in sorted(groups.items()):
            unusual = fitted.model.unusual(np.stack([row.features for row in members]), claim)
            out = unusual > fitted.card.threshold
            wrong = out if kind in ("good", "varied", "degraded") else ~out
            missed = sorted({row.source for row, is_wrong in zip(members, wrong, strict=True) if is_wrong})
            low, high = _wilson(int(out.sum()), len(out))
            sources = len({row.source for row in members})
            found.append(Declined(claim, kind, len(out), sources, float(out.mean()), (low, high), tuple(missed)))
    return found


def _wilson(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (E. B. Wilson, J Am Stat Assoc 1927;22:209-212)."""
    z = 1.959964
    share, spread = count / total, z**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def _fold(source: str) -> int:
    return hashlib.sha256(source.encode()).digest()[0] % _FOLDS


def _weights(labels: Sequence[str], sources: Sequence[str]) -> Array:
    """Return the weight of each picture: a source counts as the root of its pictures, a kind as that of its sources."""
    per_source: dict[str, int] = {}
    for source in sources:
        per_source[source] = per_source.get(source, 0) + 1
    weight = np.array([per_source[source] ** -0.5 for source in sources])
    named = np.array(labels)
    for kind in set(labels):
        mine = named == kind
        count = len({source for source, is_mine in zip(sources, mine, strict=True) if is_mine})
        weight[mine] *= np.sqrt(min(count, 40)) / weight[mine].sum()
    return np.asarray(weight * len(weight) / weight.sum())


def _fit_model(rows: Sequence[Row], modalities: Sequence[str]) -> DomainModel:
    labels = [label(row) for row in rows]
    kinds = tuple(dict.fromkeys([*modalities, *sorted(set(labels))]))
    features = np.stack([row.features for row in rows]).astype(np.float64)
    weight = _weights(labels, [row.source for row in rows])
    share = weight / weight.sum()
    mean = share @ features
    scale = np.sqrt(share @ (features - mean) ** 2) + 1e-3
    plain = DomainModel.standardised
    shell = _Shell(mean, scale)
    x = plain(shell, features)  # type: ignore[arg-type]
    classifier, bias = _classify(x, np.array([kinds.index(one) for one in labels]), len(kinds), weight)
    inside = np.array([row.kind in modalities and not row.grey for row in rows])
    basis = _components(x[inside], weight[inside])
    centres, whitens, references = [], [], []
    place = x @ basis.T
    own = [np.array([row.kind == m and not row.grey for row in rows]) for m in modalities]
    spreads = [_spread(place[mine], weight[mine]) for mine in own]
    pooled = np.mean([spread for _, spread in spreads], axis=0)
    for mine, (centre, spread) in zip(own, spreads, strict=True):
        shrunk = (1 - _SHRINK) * spread + _SHRINK * pooled + 0.05 * np.eye(len(basis))
        whiten = np.linalg.inv(np.linalg.cholesky(shrunk))
        away = np.sqrt((((place[mine] - centre) @ whiten.T) ** 2).sum(axis=1))
        centres.append(centre)
        whitens.append(whiten)
        references.append(float(np.quantile(away, _USUAL)))
    single = np.float32
    return DomainModel(
        modalities=tuple(modalities),
        kinds=kinds,
        mean=mean.astype(single),
        scale=scale.astype(single),
        weight=classifier.astype(single),
        bias=bias.astype(single),
        basis=basis.astype(single),
        centre=np.array(centres, dtype=single),
        whiten=np.array(whitens, dtype=single),
        reference=np.array(references, dtype=single),
        coloured=np.array([modality in _COLOUR for modality in modalities], dtype=single),
        blend=np.array([1, 1, 0], dtype=single),
    )


@dataclass(frozen=True)
class _Shell:
    mean: Array
    scale: Array


def _classify(x: Array, target: npt.NDArray[np.int_], kinds: int, weight: Array) -> tuple[Array, Array]:
    """Return the weights (K, D) and biases (K,) of ridge multinomial logistic regression, by L-BFGS."""
    count, width = x.shape
    wanted = np.zeros((count, kinds))
    wanted[np.arange(count), target] = 1
    share = weight[:, None] / weight.sum()

    def loss(flat: Array) -> tuple[float, Array]:
        both = flat.reshape(kinds, width + 1)
        logits = x @ both[:, :-1].T + both[:, -1]
        logits -= logits.max(axis=1, keepdims=True)
        total = np.exp(logits)
        norm = total.sum(axis=1, keepdims=True)
        likelihood = float((share * wanted * (logits - np.log(norm))).sum())
        ridge = _RIDGE / count
        slope = share * (total / norm - wanted)
        gradient = np.empty_like(both)
        gradient[:, :-1] = slope.T @ x + ridge * both[:, :-1]
        gradient[:, -1] = slope.sum(axis=0)
        return -likelihood + ridge / 2 * float((both[:, :-1] ** 2).sum()), gradient.ravel()

    found = optimize.minimize(
        loss, np.zeros(kinds * (width + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 300, "maxcor": 20}
    )
    both = found.x.reshape(kinds, width + 1)
    return both[:, :-1], both[:, -1]


def _components(x: Array, weight: Array) -> Array:
    share = weight / weight.sum()
    spread = (x - share @ x).T @ ((x - share @ x) * share[:, None])
    values, vectors = np.linalg.eigh(spread)
    most = min(_COMPONENTS, len(x) // 4, x.shape[1])
    values, vectors = values[::-1][:most], vectors[:, ::-1][:, :most]
    sign = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(most)])
    return np.asarray((vectors * sign / np.sqrt(np.maximum(values, 1e-6))).T)


def _spread(place: Array, weight: Array) -> tuple[Array, Array]:
    share = weight / weight.sum()
    centre = share @ place
    return centre, (place - centre).T @ ((place - centre) * share[:, None])


def _scores(held: Sequence[tuple[DomainModel, Row]], modalities: Sequence[str]) -> tuple[Array, Array, Array]:
    """Return, of every picture under every claim, the two opinions, whether it is an outlier, and its weight."""
    x, y, names = [], [], []
    for claim in modalities:
        for model, row in held:
            own = row.kind == claim
            if own and row.grey:
                continue
            x.append(
                (float(model.log_odds(row.features, claim)), float(np.log(model.distance(row.features, claim) + 1e-6)))
            )
            y.append(not own)
            names.append((f"{claim} {'in' if own else label(row)}", f"{claim}/{row.source}"))
    weight = _weights([kind for kind, _ in names], [source for _, source in names])
    outlier = np.array(y)
    for side in (outlier, ~outlier):
        weight[side] /= weight[side].sum()
    return np.array(x), outlier, weight


def _blend(scores: tuple[Array, Array, Array]) -> npt.NDArray[np.float32]:
    x, outlier, weight = scores
    sign = np.where(outlier, 1.0, -1.0)

    def loss(free: Array) -> float:
        value = x @ np.abs(free[:2]) + free[2]
        return float((weight * np.logaddexp(0, -sign * value)).sum()) + 1e-3 * float((free[:2] ** 2).sum())

    found = optimize.minimize(loss, np.array([0.5, 1.0, 0.0]), method="Nelder-Mead", options={"maxiter": 2000})
    return np.array([abs(found.x[0]), abs(found.x[1]), found.x[2]], dtype=np.float32)


def _judged(
    held: Sequence[tuple[DomainModel, Row]], modalities: Sequence[str]
) -> tuple[dict[str, _Values], dict[str, _Values], dict[str, tuple[list[float], set[str]]]]:
    """Return the values of the domain by claim, of outliers by claim and kind, and all by kind with sources.

    The domain is what is good, as it is; another part or size of it, and what is degraded, are in the last alone.
    """
    inside: dict[str, list[tuple[float, str]]] = {}
    outside: dict[str, list[tuple[float, str]]] = {}
    table: dict[str, tuple[list[float], set[str]]] = {}
    for claim in modalities:
        for model, row in held:
            own = row.kind == claim
            if own and row.grey:
                continue
            value = float(model.unusual(row.features, claim))
            kind = row.state if own else label(row)
            known = table.setdefault(kind, ([], set()))
            known[0].append(value)
            known[1].add(row.source)
            if not own:
                outside.setdefault(f"{claim}/{kind}", []).append((value, row.source))
            elif row.state == "good":
                inside.setdefault(claim, []).append((value, row.source))
    return _by_source(inside), _by_source(outside), table


#: Values in rising order, and the share of the weight up to and with each; a source counts once.
_Values = tuple[Array, Array]


def _by_source(found: dict[str, list[tuple[float, str]]]) -> dict[str, _Values]:
    sorted_values = {}
    for name, pairs in found.items():
        values = np.array([value for value, _ in pairs])
        per_source: dict[str, int] = {}
        for _, source in pairs:
            per_source[source] = per_source.get(source, 0) + 1
        weight = np.array([1 / per_source[source] for _, source in pairs]) / len(per_source)
        order = np.argsort(values, kind="stable")
        sorted_values[name] = (values[order], np.cumsum(weight[order]))
    return sorted_values


def _below(values: _Values, tried: Array) -> Array:
    """Return the share at or below each of ``tried``."""
    place = np.searchsorted(values[0], tried, side="right")
    return np.concatenate([[0.0], values[1]])[place]


def _threshold(inside: dict[str, _Values], outside: dict[str, _Values]) -> float:
    """Return the threshold at which the larger of two shares is least: of the domain declined, of outliers missed.

    Each is a mean over its claims, or its claims and kinds. Where a range of thresholds is equally good, the middle.
    """
    every = np.sort(np.concatenate([values for values, _ in (*inside.values(), *outside.values())]))
    tried = np.concatenate([[every[0] - 1], (every[1:] + every[:-1]) / 2, [every[-1] + 1]])
    declined = 1 - np.mean([_below(values, tried) for values in inside.values()], axis=0)
    missed = np.mean([_below(values, tried) for values in outside.values()], axis=0)
    worst = np.maximum(declined, missed)
    best = tried[worst <= worst.min() + 1e-9]
    return float((best[0] + best[-1]) / 2)
