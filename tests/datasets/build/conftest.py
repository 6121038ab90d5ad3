"""A data folder in the layout of the table of bases, made of the bundled images, and small data sets built from it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image as Pillow

from scrutiq.datasets.build import build

DEMO = Path(__file__).parents[3] / "demo" / "images"

#: Where the bundled images stand in a data folder; each is a group of its own.
_PLACES = {
    "ct/slice_1.dcm": "ct_siim_tcga/ID_0001_AGE_0060_CONTRAST_1_CT.dcm",
    "ct/slice_2.dcm": "ct_siim_tcga/ID_0002_AGE_0069_CONTRAST_1_CT.dcm",
    "endoscopy/00003.jpg": "endoscopy_ead2019/edd2020/annotations/samples/first.jpg",
    "endoscopy/00039.jpg": "endoscopy_ead2019/edd2020/annotations/samples/second.jpg",
    "histopathology/tile_1.jpg": "histo_tiles/Tile_1.jpg",
    "histopathology/tile_2.jpg": "histo_tiles/CRC_2.jpg",
}

MEDQ = {
    "kind": "medq-style",
    "name": "tiny-medq",
    "title": "A small set of questions",
    "description": "For the tests.",
    "seed": 7,
    "images": 24,
    "pairs": 4,
    "modalities": ["endoscopy", "histopathology"],
    "specific": 0.3,
    "bases": {"max_side": 96},
}
PAIRS = {
    "kind": "pairs",
    "name": "tiny-pairs",
    "title": "A small set of series",
    "description": "For the tests.",
    "seed": 11,
    "series": 6,
    "severities": [0, 0.5, 1],
    "modalities": ["endoscopy"],
    "test": 0.5,
    "bases": {"max_side": 96},
}


def write_recipe(path: Path, recipe: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(recipe), "utf-8")
    return path


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two patients or sources of each modality that is bundled."""
    folder = tmp_path_factory.mktemp("data")
    for source, place in _PLACES.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DEMO / source, folder / place)
    return folder


@pytest.fixture(scope="session")
def angio_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the synthetic angiograms of two patients."""
    from scrutiq.degradations.xa.phantom import angiogram

    folder = tmp_path_factory.mktemp("angio") / "xa_coronary"
    rows = ["file,patient,sequence,frame_index,role,mask_file"]
    for place in ("images", "masks"):
        (folder / place).mkdir(parents=True)
    for patient in (1, 2):
        stem = f"Patient_{patient}_Coro_1_frame_000"
        key, vessels = angiogram(seed=patient, shape=(192, 192))
        before, _ = angiogram(seed=patient, shape=(192, 192), contrast=False)
        for name, pixels in ((f"images/{stem}00.jpg", before.pixels), (f"images/{stem}20.jpg", key.pixels)):
            Pillow.fromarray(pixels.astype(np.uint8)).save(folder / name, quality=95)
        Pillow.fromarray(vessels.astype(np.uint8) * 255).save(folder / f"masks/{stem}20.jpg", quality=95)
        rows.append(f"images/{stem}00.jpg,Patient_{patient},Coro_1,0,first_frame,")
        rows.append(f"images/{stem}20.jpg,Patient_{patient},Coro_1,20,author_keyframe,masks/{stem}20.jpg")
    (folder / "selection.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder.parent


@pytest.fixture(scope="session")
def medq_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("recipes") / "medq.yaml", MEDQ)


@pytest.fixture(scope="session")
def pairs_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("recipes") / "pairs.yaml", PAIRS)


@pytest.fixture(scope="session")
def medq(data: Path, medq_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of questions, built; copy it before you change it."""
    out = tmp_path_factory.mktemp("built") / "medq"
    assert build(medq_recipe, out, data=data, jobs=2).failed == {}
    return out


@pytest.fixture
def copy(medq: Path, tmp_path: Path) -> Path:
    """A copy of `medq` to plant faults in."""
    return Path(shutil.copytree(medq, tmp_path / "copy"))
