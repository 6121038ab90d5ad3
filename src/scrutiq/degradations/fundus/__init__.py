"""Degradations of fundus photographs: in linear light, within the round field of the camera."""
