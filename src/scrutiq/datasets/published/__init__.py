"""Published data sets in their published layouts, one module each; `load` reads one by its name.

No set is downloaded and none comes with the package: a folder that the user has is read, and labels and files must join
one to one.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import NamedTuple

from scrutiq.core import UsageError
from scrutiq.datasets.dataset import Dataset

__all__ = ["SETS", "Published", "load"]


class Published(NamedTuple):
    """A set that can be loaded: its module here, what it is, and where it is described."""

    module: str
    what: str
    source: str


#: By the name that `load` takes.
SETS = {
    "ldct-iqa": Published(
        "ldct_iqa",
        "low-dose CT with one overall score by five radiologists",
        "Lee et al., Med Image Anal 99 (2025) 103343; doi 10.5281/zenodo.7833096",
    ),
    "ct-iqa": Published(
        "ct_iqa", "abdominal CT with four scores and a caption by one radiologist", "Chen et al., arXiv 2312.15663"
    ),
    "cas-3k": Published(
        "cas_3k", "generated coronary angiographies beside mask and contrast, three scores", "Wang et al., CAS-IQA"
    ),
    "medq-bench": Published(
        "medq_bench", "questions on, and descriptions of, the quality of medical images", "Liu et al., MedQ-Bench"
    ),
    "vlm-ct-iqa": Published(
        "vlm_ct_iqa", "scores of low-dose CT with explanations by a language model, no images", "VLM-CT-IQA"
    ),
    "ct-denoising-readers": Published(
        "ct_denoising_readers", "CT denoisers, three scores by three radiologists", "repository babbu3682/MTD-GAN"
    ),
    "eyeq": Published("eyeq", "fundus photographs: good, usable, reject", "Fu et al., MICCAI 2019"),
    "folder": Published("folder", "a folder of images with a table of scores", "your own"),
}


def load(name: str, folder: str | os.PathLike[str], **options: str) -> Dataset:
    """Read a published data set.

    Parameters
    ----------
    name : str
        One of `SETS`.
    folder : path
        Where the set lies, as unpacked.
    options : str
        What the set's own ``load`` takes (``folder`` takes the names of the table's columns; see
        `scrutiq.datasets.published.folder`).

    Returns
    -------
    Dataset

    Raises
    ------
    UsageError
        If there is no such set, folder or option, or labels and files do not join one to one.
    InputError
        If a file of labels cannot be read or holds what it may not.
    """
    if name not in SETS:
        raise UsageError(f"there is no published set {name!r}; the sets are {', '.join(SETS)}.")
    reader = import_module(f"{__name__}.{SETS[name].module}").load
    try:
        loaded: Dataset = reader(folder, **options)
    except TypeError:
        import inspect

        known = [option for option in inspect.signature(reader).parameters if option != "folder"]
        if options.keys() <= set(known):
            raise
        raise UsageError(f"{name} takes {', '.join(known) or 'no option'}, not {', '.join(options)}.") from None
    return loaded
