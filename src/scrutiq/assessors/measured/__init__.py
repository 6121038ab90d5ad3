"""``measured:``, the transparent assessor: measurements, documented thresholds and monotone mappings."""

from scrutiq.assessors.measured.assessor import MeasuredAssessor, open_measured

__all__ = ["MeasuredAssessor", "open_measured"]
