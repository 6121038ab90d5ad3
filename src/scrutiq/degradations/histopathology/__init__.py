"""Degradations of stained sections: made in optical density where they absorb, in linear light where they expose."""
