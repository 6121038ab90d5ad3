"""``net:``, the trained assessor: a small network on ONNX Runtime, with measurements as its evidence."""

from __future__ import annotations

from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from scrutiq.assessors.net.assessor import NetAssessor
from scrutiq.assessors.net.card import CARD, Card, read_card
from scrutiq.core import AssessorUri, FrozenDict, InputError, UsageError

if TYPE_CHECKING:
    from scrutiq.assessors.net.network import Network

__all__ = ["NetAssessor", "at_hand", "installed", "open_net", "shipped"]

#: How a notice is accepted, in the URI.
_ACCEPT = FrozenDict({"notice": "accepted"})


def shipped() -> dict[str, Path]:
    """Return the folders of the weights that come with Scrutiq, by the name after ``net:``."""
    return {"base": Path(str(resources.files("scrutiq.assessors.net"))) / "weights" / "base"}


def installed() -> bool:
    """Return whether the weights of ``net:base`` are here; whether they are whole shows when they are opened."""
    return (shipped()["base"] / CARD).is_file()


def at_hand() -> dict[str, Path]:
    """Return the folders of weights by their URI: those that come with Scrutiq, and those of ``weights/`` here."""
    here = sorted(card.parent for card in Path("weights").glob("*/model.json"))
    return {f"net:{name}": folder for name, folder in (*shipped().items(), *((str(f), f) for f in here))}


def open_net(uri: AssessorUri) -> NetAssessor:
    """Return the assessor of ``net:base``, the weights that ship, or of ``net:PATH``, a folder of others.

    Weights with a notice are opened only by a URI that ends in ``?notice=accepted``; the provenance of every
    assessment records it. The network itself is loaded when it is first needed.

    Raises
    ------
    UsageError
        If no weights are named, an option is unknown, the folder holds no weights, a file is not the one that was
        trained, or a notice was not accepted; then it states the notice.
    """
    if not uri.model:
        raise UsageError(f"'net:' needs the weights: {', '.join(f'net:{n}' for n in shipped())}, or net:FOLDER.")
    if uri.options.items() - _ACCEPT.items():
        name, value = next(iter(uri.options.items() - _ACCEPT.items()))
        raise UsageError(f"'net:' takes no option {name}={value}; its only one is notice=accepted.")
    own = shipped()
    folder = own.get(uri.model) or Path(uri.model)
    try:
        card = read_card(folder)
    except InputError as error:  # of the call, not of an image
        raise UsageError(str(error)) from None
    accepted = bool(uri.options)
    if card.notice is not None and not accepted:
        raise UsageError(
            f"the weights {card.name} come with a notice: {card.notice} To accept it, write "
            f"--assessor 'net:{uri.model}?notice=accepted'."
        )
    # A path is not recorded: it says nothing to others, and may say too much.
    name = f"net:{uri.model if uri.model in own else card.name}"
    return NetAssessor(name, card, partial(_network, folder, card), accepted and card.notice is not None)


def _network(folder: Path, card: Card) -> Network:
    from scrutiq.assessors.net.network import Network

    return Network(folder, card)
