"""Reports: one self-contained HTML file a run; the same as JSON, CSV and Parquet.

What writes them is loaded when it is first used: most runs write none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrutiq.reports.html import write_html
    from scrutiq.reports.run import ReportRun
    from scrutiq.reports.tables import write_csv, write_json, write_parquet

_HOMES = {
    "ReportRun": "run",
    "write_csv": "tables",
    "write_html": "html",
    "write_json": "tables",
    "write_parquet": "tables",
}

__all__ = ["ReportRun", "write_csv", "write_html", "write_json", "write_parquet"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
