"""Degradations of computed tomography, made in the projection domain."""
