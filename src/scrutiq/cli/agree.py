"""``scrutiq agree``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from scrutiq import api
from scrutiq.cli.app import TextFormat
from scrutiq.cli.output import emit, plain, stdout, table

__all__ = ["run"]


def run(
    pred: Path,
    truth: Path,
    id_column: str | None,
    columns: Sequence[str] | None,
    cluster: str | None,
    seed: int,
    format: TextFormat,
) -> None:
    """Print the agreement of two files of scores."""
    found = api.agree(pred, truth, id_column=id_column, columns=columns or None, cluster_column=cluster, seed=seed)
    if format is TextFormat.JSON:
        documents = {name: json.loads(one.to_json()) for name, one in found.items()}
        document = next(iter(documents.values())) if len(documents) == 1 else documents
        emit(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    with stdout() as out:
        for name, one in found.items():
            clusters = f" in {one.n_clusters} clusters" if one.n_clusters not in (None, one.n) else ""
            missing = f", {one.missing} without a number" if one.missing else ""
            out.print(f"{name}: {one.n} pairs{clusters}{missing}, {one.unmatched} ids without a partner")
            if alone := [*one.unmatched_pred, *one.unmatched_truth]:
                more = f" and {len(alone) - 5} more" if len(alone) > 5 else ""
                out.print(f"  without a partner: {plain(', '.join(alone[:5]))}{more}")
            shown = table("", "value", "95 % interval")
            for label in ("plcc", "plcc_logistic", "srocc", "krocc", "overall", "rmse", "mae"):
                value, interval = getattr(one, label), one.ci.get(label)
                ends = "" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"
                shown.add_row(label.upper().replace("_", " "), "undefined" if value is None else f"{value:.4f}", ends)
            out.print(shown)
            for note in one.notes:
                out.print(note)
