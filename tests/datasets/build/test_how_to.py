"""The recipe and the Python of the how-to page work as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from scrutiq.datasets.build import names

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "how-to" / "build-datasets.md").read_text("utf-8")


def block(kind: str) -> str:
    (text,) = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def test_each_recipe_is_named_on_the_page() -> None:
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)) == list(names())


def test_the_script_builds_the_recipe(data: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "data").symlink_to(data, target_is_directory=True)
    (tmp_path / "endoscopy-questions.yaml").write_text(block("yaml"), "utf-8")
    script = tmp_path / "script.py"
    script.write_text(block("python"), "utf-8")
    run = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={"SCRUTIQ_SHARED": str(shared), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == "20 66 {}"
    assert "20 files are there, each with the bytes that were made." in lines
    assert lines[-1].endswith("?")
    assert sorted(path.name for path in (tmp_path / "sets/endoscopy").iterdir()) == [
        "card.json",
        "card.md",
        "images",
        "journal.jsonl",
        "manifest.parquet",
        *(
            f"medqbench_{name}_{split}.tsv"
            for name in ("QA", "description", "paired_description")
            for split in ("dev", "test")
        ),
        "plan.jsonl",
        "recipe.yaml",
    ]
