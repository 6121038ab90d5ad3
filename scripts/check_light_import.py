"""Check that importing Scrutiq loads nothing heavy. Prints what was loaded and exits with 1 if it does."""

from __future__ import annotations

import subprocess
import sys

#: Packages that no module of Scrutiq may load when it is imported; they are imported where they are used.
NEVER = ("matplotlib", "numba", "onnxruntime", "pandas", "pyarrow", "scipy.stats", "skimage.metrics", "torch")
#: Nor these, at the top and in the nouns.
NOT_IN_CORE = (*NEVER, "gdcm", "nibabel", "PIL", "pydicom", "scipy", "skimage", "tifffile", "typer", "yaml")

FORBIDDEN = {"scrutiq": NOT_IN_CORE, "scrutiq.core": NOT_IN_CORE, "scrutiq.cli": NEVER}


def loaded(module: str, forbidden: tuple[str, ...]) -> list[str]:
    """Return those of ``forbidden`` that a fresh interpreter holds after ``import module``."""
    code = f"import sys, {module}; print(*[name for name in {forbidden!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.split()


def main() -> int:
    status = 0
    for module, forbidden in FORBIDDEN.items():
        if names := loaded(module, forbidden):
            print(f"import {module} loads {', '.join(names)}: import them inside the functions that use them")
            status = 1
    if status == 0:
        print(f"Light imports: {', '.join(FORBIDDEN)} load nothing heavy.")
    return status


if __name__ == "__main__":
    sys.exit(main())
