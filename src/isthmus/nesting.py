"""Nesting: a fitted model cut down to the first numbers of its code.

In a nested code every prefix is a code. What the encoder computes for the numbers beyond the first k, and
what the decoder makes of them, are rows and columns of weights that can be left out; everything else stays.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from isthmus.checks import must, need
from isthmus.codes import Nested

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

__all__ = ["truncated"]


def truncated(model: Autoencoder, k: int) -> Autoencoder:
    """The fitted model with a code of k numbers; the model itself is left as it is."""
    whole = model.n_components_
    if not isinstance(model.code, Nested):
        raise must("the code", "be nested, so that a prefix of it is a code", model.code, "Use code=Nested()")
    good = isinstance(k, int) and not isinstance(k, bool) and 1 <= k <= whole
    need(good, "k", f"be a whole number between 1 and {whole}", k, "Use truncate(2)")
    weights = model.network_.state_dict()
    cut = copy.copy(model)
    cut.n_components, cut.n_components_ = k, k
    cut.history_rows_, cut.notes_ = (
        list(model.history_rows_),
        [*model.notes_, f"Cut from {whole} numbers to {k}."],
    )
    cut.network_ = cut._build_network()
    with torch.no_grad():
        for name, here in cut.network_.state_dict().items():
            place = tuple(slice(size) for size in here.shape)  # the first k along the axis that differs
            here.copy_(weights[name][place])
    cut.network_.eval()
    return cut
