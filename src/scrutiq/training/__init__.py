"""Training of the weights that are shipped, one recipe a file; needs the extra ``train``.

``python -m scrutiq.training RECIPE --out FOLDER`` runs one. Importing this package loads no machine learning library.
"""

from __future__ import annotations

from scrutiq.training.recipe import Recipe, load_recipe
from scrutiq.training.run import train

__all__ = ["Recipe", "load_recipe", "train"]
