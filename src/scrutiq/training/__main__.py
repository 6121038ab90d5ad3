"""``python -m scrutiq.training RECIPE --out FOLDER``: run a recipe."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from scrutiq.core import ScrutiqError
from scrutiq.training.net import is_net_recipe, load_net_recipe, train_net
from scrutiq.training.recipe import load_recipe
from scrutiq.training.run import train


def main() -> int:
    """Run the command line, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scrutiq.training", description="Train the networks of a recipe.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of weights, figures and checkpoints")
    shared = Path(os.environ.get("SCRUTIQ_SHARED", "../shared")) / "data"
    parser.add_argument("--data", type=Path, default=shared, help="folder that holds the images")
    parser.add_argument("--afresh", action="store_true", help="do not go on from the checkpoints in the folder")
    parser.add_argument("--short", action="store_true", help="take every step of the run, but learn nothing")
    parser.add_argument("--threads", type=int, default=1, help="threads that train, and processes that make samples")
    args = parser.parse_args()
    try:
        import torch

        torch.set_num_threads(args.threads)
    except ImportError:
        pass  # `train` says what is missing
    try:
        if is_net_recipe(args.recipe):
            recipe = load_net_recipe(args.recipe)
            train_net(recipe, args.data, args.out, jobs=args.threads, resume=not args.afresh, short=args.short)
        else:
            train(load_recipe(args.recipe), args.data, args.out, resume=not args.afresh, short=args.short)
    except ScrutiqError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
