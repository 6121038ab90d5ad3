"""The shipped quality scales, and the reader and checker of a user's own."""

from scrutiq.rubrics.files import check, load, names, shipped

__all__ = ["check", "load", "names", "shipped"]
