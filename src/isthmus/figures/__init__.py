"""Figures: pictures of what the uses return. Every function takes `ax`, returns it, and computes nothing
else.
"""

from isthmus.figures.anomalies import anomaly_scores, flagged_ranges, heat_maps, p_value_histogram
from isthmus.figures.cells import filled_cells
from isthmus.figures.codes import latent_scatter, picture_rows
from isthmus.figures.curves import training_curve
from isthmus.figures.holes import inpainted
from isthmus.figures.judged import (
    component_curve,
    error_map,
    jacobian_spectrum,
    loss_terms,
    tradeoff,
    worst_columns,
)
from isthmus.figures.manifolds import contraction_along_line, manifolds, vector_field
from isthmus.figures.mosaics import filters, reconstructions
from isthmus.figures.restorations import restored
from isthmus.figures.searches import neighbours
from isthmus.figures.spectrograms import spectrograms
from isthmus.figures.style import theme
from isthmus.figures.units import activations, kl_penalty, top_rows

__all__ = [
    "activations",
    "anomaly_scores",
    "component_curve",
    "contraction_along_line",
    "error_map",
    "filled_cells",
    "filters",
    "flagged_ranges",
    "heat_maps",
    "inpainted",
    "jacobian_spectrum",
    "kl_penalty",
    "latent_scatter",
    "loss_terms",
    "manifolds",
    "neighbours",
    "p_value_histogram",
    "picture_rows",
    "reconstructions",
    "restored",
    "spectrograms",
    "theme",
    "top_rows",
    "tradeoff",
    "training_curve",
    "vector_field",
    "worst_columns",
]
