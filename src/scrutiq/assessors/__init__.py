"""Assessors: what turns cases into assessments, and the batch that runs them."""

from scrutiq.assessors.batch import Batch, Loadable, run
from scrutiq.assessors.choose import default_assessor, default_rubric, open_assessor, why_not
from scrutiq.assessors.compare import compare

__all__ = ["Batch", "Loadable", "compare", "default_assessor", "default_rubric", "open_assessor", "run", "why_not"]
