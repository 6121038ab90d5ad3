"""Degradations of X-ray angiography: what befalls the beam, the detector, the contrast medium and the subtraction."""
