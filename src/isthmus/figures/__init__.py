"""Figures: pictures of what the uses return. Every function takes `ax`, returns it, and computes nothing
else.
"""

from isthmus.figures.anomalies import anomaly_scores, flagged_ranges, heat_maps, p_value_histogram
from isthmus.figures.curves import training_curve
from isthmus.figures.holes import inpainted
from isthmus.figures.mosaics import filters, reconstructions
from isthmus.figures.spectrograms import spectrograms

__all__ = [
    "anomaly_scores",
    "filters",
    "flagged_ranges",
    "heat_maps",
    "p_value_histogram",
    "inpainted",
    "reconstructions",
    "spectrograms",
    "training_curve",
]
