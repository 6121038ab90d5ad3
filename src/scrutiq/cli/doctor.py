"""``scrutiq doctor``."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from importlib.util import find_spec

from scrutiq import __version__
from scrutiq.cli.app import TextFormat
from scrutiq.cli.output import emit, stdout, table
from scrutiq.core import SCHEMA_VERSION, InputError

__all__ = ["run"]

#: Module that an extra adds, and what it is for.
EXTRAS = {"parquet": ("pyarrow", "assess --format parquet")}

#: What the core install relies on: distribution and purpose.
CORE = {
    "numpy": "arrays",
    "scipy": "filters, statistics",
    "scikit-image": "reference metrics",
    "pydicom": "DICOM, and RLE in it",
    "python-gdcm": "JPEG, JPEG-LS and lossless JPEG in DICOM",
    "pylibjpeg-openjpeg": "JPEG 2000 and HTJ2K in DICOM",
    "nibabel": "NIfTI",
    "tifffile": "TIFF",
    "pillow": "PNG, JPEG",
    "onnxruntime": "the network of net:",
    "pydantic": "validated objects",
}

#: What is said of weights.
_WHOLE, _MISSING = "as trained", "not installed; measured: judges by default"


def run(format: TextFormat) -> int:
    """Print what is installed; return 1 where something of the core is missing, or weights that ship are damaged."""
    packages = {name: _version(name) for name in CORE}
    extras = {name: find_spec(module) is not None for name, (module, _) in EXTRAS.items()}
    syntaxes = _syntaxes() if packages["pydicom"] else {}
    missing = [name for name, version in packages.items() if version is None]
    weights = _weights()
    broken = any(one["state"] not in (_WHOLE, _MISSING) for one in weights if one["shipped"])
    if format is TextFormat.JSON:
        document = {
            "schema_version": SCHEMA_VERSION,
            "scrutiq": __version__,
            "python": platform.python_version(),
            "packages": packages,
            "extras": extras,
            "transfer_syntaxes": syntaxes,
            "weights": weights,
        }
        emit(json.dumps(document, indent=2) + "\n")
        return 1 if missing or broken else 0
    shown = table("package", "version", "for")
    for name, version in packages.items():
        shown.add_row(name, version or "MISSING", CORE[name])
    unread = [name for name, there in syntaxes.items() if not there]
    with stdout() as out:
        out.print(
            f"Scrutiq {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
        )
        out.print(shown)
        for name, there in extras.items():
            how = "installed" if there else f"not installed: pip install 'scrutiq[{name}]'"
            out.print(f"extra {name} ({EXTRAS[name][1]}): {how}")
        readable = f"DICOM transfer syntaxes that decode here: {len(syntaxes) - len(unread)} of {len(syntaxes)}"
        out.print(readable + (f"; not: {', '.join(unread)}" if unread else ""))
        if missing:
            out.print(
                f"Missing from the core install: {', '.join(missing)}. Run: pip install --force-reinstall scrutiq"
            )
        for one in weights:
            out.print(f"weights {one['uri']}: {one['state']}" + (f", {one['says']}" if one["says"] else ""))
            if one["notice"]:
                out.print(f"  notice, to be accepted with '{one['uri']}?notice=accepted': {one['notice']}")
        whole = [str(one["uri"]) for one in weights if one["state"] == _WHOLE]
        out.print(f"Assessors here: {', '.join(('measured:', *whole))}")
        out.print("Nothing is fetched from a network.")
    return 1 if missing or broken else 0


def _weights() -> list[dict[str, str | bool | None]]:
    """Return the weights of ``net:`` at hand, whether each file is the one that was trained, and their notice."""
    from scrutiq.assessors.net import at_hand, installed, shipped
    from scrutiq.assessors.net.card import read_card

    found: list[dict[str, str | bool | None]] = []
    for uri, folder in at_hand().items():
        state, says, notice, digest = _WHOLE, None, None, None
        own = folder in shipped().values()
        try:
            card = read_card(folder)
        except InputError as error:
            state = _MISSING if own and not installed() else error.reason
        else:
            says = f"{card.name} {card.version}, {', '.join(card.modalities)}; {', '.join(card.rubrics)}"
            notice, digest = card.notice, card.hash
        found.append({"uri": uri, "shipped": own, "state": state, "says": says, "hash": digest, "notice": notice})
    return found


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _syntaxes() -> dict[str, bool]:
    from pydicom.uid import AllTransferSyntaxes

    from scrutiq.imaging.dicom_pixels import is_decoded

    video = ("MPEG", "HEVC", "SMPTE", "JPIP")  # and streaming: they hold no still images
    return {uid.name: is_decoded(uid) for uid in AllTransferSyntaxes if not any(word in uid.name for word in video)}
