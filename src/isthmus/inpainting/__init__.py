"""Inpainting: what a hole in a picture hides, filled from what is known.

>>> from isthmus.inpainting import Draws, Inpainter, default_patch_model, default_picture_model, hidden_in
"""

from isthmus.inpainting.defaults import default_patch_model, default_picture_model
from isthmus.inpainting.hidden import hidden_in
from isthmus.inpainting.inpainter import Draws, Inpainter

__all__ = ["Draws", "Inpainter", "default_patch_model", "default_picture_model", "hidden_in"]
