"""What must hold for the repository as a whole: packaging, licences, versions, rooms, and the policy on skips."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import scrutiq

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "scrutiq"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tracked() -> list[Path]:
    """Return the files that git tracks, or would track if added."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


class TestLightImport:
    check = _script("check_light_import")

    @pytest.mark.parametrize("module", check.FORBIDDEN)
    def test_nothing_heavy_is_loaded(self, module: str) -> None:
        assert self.check.loaded(module, self.check.FORBIDDEN[module]) == []

    def test_the_check_sees_a_heavy_import(self) -> None:
        assert self.check.loaded("scipy.stats", ("scipy.stats", "torch")) == ["scipy.stats"]


class TestVersion:
    def test_the_installed_version_is_the_package_s(self) -> None:
        assert metadata.version("scrutiq") == scrutiq.__version__

    def test_the_citation_names_it(self) -> None:
        stated = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
        assert stated is not None
        assert stated[1] == scrutiq.__version__

    def test_the_changelog_names_it(self) -> None:
        text = (ROOT / "CHANGELOG.md").read_text("utf-8")
        released = re.findall(r"^## \[(\d[^]]*)\]", text, re.MULTILINE)
        coming = re.search(r"^## \[Unreleased\]\n+What will be (\d+\.\d+\.\d+)", text, re.MULTILINE)
        assert scrutiq.__version__ in (*released[:1], *([coming[1]] if coming else []))


#: Licences that the run-time dependencies may have: SPDX names, and the words of older metadata.
PERMISSIVE = {
    *(
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "ISC",
        "LLVM-exception",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "PSF-2.0",
        "Zlib",
    ),
    *("3-Clause BSD License", "Apache Software License", "BSD", "BSD License", "ISC License (ISCL)", "MIT License"),
}


def _dependencies() -> dict[str, metadata.Distribution]:
    """Return what the core install pulls in, and what the extras do as far as they are installed."""
    found: dict[str, metadata.Distribution] = {}
    todo = [("scrutiq", frozenset(PYPROJECT["project"]["optional-dependencies"]))]
    while todo:
        name, extras = todo.pop()
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = distribution
        for text in distribution.requires or []:
            needed = Requirement(text)
            if needed.marker and not any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                continue
            dependency = canonicalize_name(needed.name)
            if dependency not in found:
                todo.append((dependency, frozenset(needed.extras)))
    del found["scrutiq"]
    return found


def _licences(distribution: metadata.Distribution) -> set[str]:
    """Return every licence that the metadata of a distribution name."""
    fields = distribution.metadata
    if expression := fields.get("License-Expression"):
        return {text.strip("() ") for text in re.split(r"\b(?:AND|OR|WITH)\b", expression)}
    kinds = {
        text.rsplit(" :: ", 1)[-1] for text in fields.get_all("Classifier") or [] if text.startswith("License :: ")
    }
    return kinds or {(fields.get("License") or "none stated").strip()}


class TestLicences:
    def test_every_run_time_dependency_is_permissive(self) -> None:
        found = {name: _licences(distribution) for name, distribution in _dependencies().items()}
        assert {"numpy", "pydicom", "pydantic"} <= found.keys()
        assert {name: licences - PERMISSIVE for name, licences in found.items() if licences - PERMISSIVE} == {}

    def test_copyleft_is_seen(self) -> None:
        # hypothesis (MPL-2.0) is a test tool, and not among the permissive ones.
        assert _licences(metadata.distribution("hypothesis")) - PERMISSIVE


class TestFiles:
    def test_none_is_large(self) -> None:
        large = {str(path.relative_to(ROOT)): path.stat().st_size for path in _tracked()}
        assert {name: size for name, size in large.items() if size > 2_000_000} == {}

    def test_constraints_pin_what_pyproject_asks_for(self) -> None:
        lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        pins = {canonicalize_name(p.name): p.specifier for p in map(Requirement, lines[2:])}
        groups = PYPROJECT["dependency-groups"].values()
        asked = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["build-system"]["requires"]]
        asked += [text for extra in PYPROJECT["project"]["optional-dependencies"].values() for text in extra]
        asked += [text for group in groups for text in group if isinstance(text, str)]
        for needed in map(Requirement, asked):
            if needed.name == "scrutiq":
                continue
            (pin,) = pins[canonicalize_name(needed.name)]
            assert needed.specifier.contains(pin.version), f"{needed} but constraints.txt has {pin}: make constraints"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(out)], cwd=ROOT, check=True)
    return out


class TestDistribution:
    def test_the_wheel_holds_every_file_of_the_package(self, built: Path) -> None:
        (wheel,) = built.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
        here = {str(path.relative_to(PACKAGE.parent)) for path in _tracked() if path.is_relative_to(PACKAGE)}
        assert "scrutiq/py.typed" in here
        assert "scrutiq/rubrics/ldct.yaml" in here
        assert here - names == set()
        extra = {name for name in names - here if ".dist-info/" not in name}
        assert extra == set(), "the wheel holds files that the repository does not"

    def test_the_wheel_names_the_licence(self, built: Path) -> None:
        (wheel,) = built.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in archive.namelist()}

    def test_the_source_distribution_is_complete_and_small(self, built: Path) -> None:
        (sdist,) = built.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
        for name in ("pyproject.toml", "LICENSE", "Makefile", "tests/test_repo.py", "src/scrutiq/rubrics/ldct.yaml"):
            assert name in names
        assert not any(name.startswith((".venv", "site/", "demo-report", ".git/")) for name in names)
        assert sdist.stat().st_size < 10_000_000


class TestRooms:
    layers = tuple(
        layer.strip("()") for layer in PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"] if "__" not in layer
    )

    def test_the_architecture_page_lists_them_in_order_and_says_which_exist(self) -> None:
        page = (ROOT / "docs" / "explanation" / "architecture.md").read_text("utf-8")
        rows = re.findall(r"^\| `(\w+)` \| .* \| (exists|planned) \|$", page, re.MULTILINE)
        assert tuple(name for name, _ in rows) == self.layers
        exist = {path.stem for path in PACKAGE.iterdir() if path.stem in self.layers}
        assert {name for name, state in rows if state == "exists"} == exist


@pytest.mark.shared
def test_the_licence_page_lists_every_shared_set(shared: Path) -> None:
    page = (ROOT / "docs" / "explanation" / "data-and-licences.md").read_text("utf-8")
    assert [path.name for path in shared.iterdir() if path.is_dir() and f"`{path.name}`" not in page] == []


class TestSkips:
    """`make test ALL=1` fails on a skip that is not expected."""

    def run(self, folder: Path, forbid: str) -> dict[str, int]:
        (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text("utf-8"), "utf-8")
        (folder / "test_one.py").write_text(
            "import pytest\n"
            "def test_expected(shared): pass\n"
            "def test_unexpected(): pytest.skip('no server')\n"
            "@pytest.mark.skip(reason='later')\ndef test_marked(): pass\n"
            "@pytest.mark.xfail(reason='known')\ndef test_xfail(): assert False\n",
            "utf-8",
        )
        environment = {**os.environ, "SCRUTIQ_NO_SKIP": forbid, "SCRUTIQ_SHARED": str(folder / "none")}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
        text = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True).stdout
        return {
            word.rstrip("s"): int(n) for n, word in re.findall(r"(\d+) (\w+)", text.splitlines()[-1].split(" in ")[0])
        }

    def test_allowed_by_default(self, tmp_path: Path) -> None:
        assert self.run(tmp_path, "0") == {"skipped": 3, "xfailed": 1}

    def test_forbidden(self, tmp_path: Path) -> None:
        assert self.run(tmp_path, "1") == {"failed": 1, "error": 1, "skipped": 1, "xfailed": 1}
