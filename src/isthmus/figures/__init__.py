"""Figures: pictures of what the uses return. Every function takes `ax`, returns it, and computes nothing
else.
"""

from isthmus.figures.curves import training_curve
from isthmus.figures.mosaics import filters, reconstructions

__all__ = ["filters", "reconstructions", "training_curve"]
