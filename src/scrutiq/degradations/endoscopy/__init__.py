"""Degradations of endoscopic frames, made in linear light within the field of view."""
