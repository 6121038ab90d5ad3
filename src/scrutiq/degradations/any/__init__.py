"""Degradations that can befall every kind of image."""
