"""Reports: one self-contained HTML file a run; the same as JSON, CSV and Parquet."""

from scrutiq.reports.html import write_html
from scrutiq.reports.run import ReportRun
from scrutiq.reports.tables import write_csv, write_json, write_parquet

__all__ = ["ReportRun", "write_csv", "write_html", "write_json", "write_parquet"]
