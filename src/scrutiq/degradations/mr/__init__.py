"""Degradations of magnetic resonance images, made in k-space."""
