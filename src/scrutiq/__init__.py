"""Scrutiq judges medical images as a radiologist would, and shows the measurements behind every claim."""

__version__ = "0.1.0"
