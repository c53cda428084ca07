"""Nesting: a model cut down to the first numbers of its code, or set into one with a wider code.

In a nested code every prefix is a code. What the encoder computes for the numbers beyond the first k, and
what the decoder makes of them, are rows and columns of weights that can be left out; everything else stays.

The other way round, numbers whose weights are zero on both sides change nothing, and never will: the slope
of either side's weight is a product with the other's, so training leaves both at zero, to the bit. That is
how codes of several sizes train side by side in networks of one shape.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from isthmus.checks import must, need
from isthmus.codes import Nested
from isthmus.networks import PlainNetwork
from isthmus.wording import counted

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

__all__ = ["narrowed", "truncated", "widened"]


def truncated(model: Autoencoder, k: int) -> Autoencoder:
    """The fitted model with a code of k numbers; the model itself is left as it is."""
    whole = model.n_components_
    if not isinstance(model.code, Nested):
        raise must("the code", "be nested, so that a prefix of it is a code", model.code, "Use code=Nested()")
    good = isinstance(k, int) and not isinstance(k, bool) and 1 <= k <= whole
    need(good, "k", f"be a whole number between 1 and {whole}", k, "Use truncate(2)")
    cut = copy.copy(model)
    cut.n_components, cut.n_components_, cut.kept_epoch_ = k, k, None
    cut.history_rows_, cut.notes_ = (
        list(model.history_rows_),
        [*model.notes_, f"Cut from {counted(whole, 'number')} to {k}."],
    )
    cut.network_ = narrowed(cut._build_network(), model.network_)
    cut.network_.eval()
    return cut


def narrowed(narrow: Any, wide: Any) -> Any:
    """The narrower network with the weights of the wider one, as far as they reach."""
    weights = wide.state_dict()
    for name, here in narrow.state_dict().items():
        here[...] = weights[name][_corner(here)]
    return narrow


def widened(model: Autoencoder, k: int) -> Any:
    """The model's network with a code of k numbers, those beyond its own at zero on both sides."""
    network = model._network
    if k == model.n_components_:
        return network
    other = copy.copy(model)
    other.n_components_ = k
    wide, weights = other._build(plain=isinstance(network, PlainNetwork)), network.state_dict()
    for name, there in wide.state_dict().items():
        there[...] = 0
        there[_corner(weights[name])] = weights[name]
    return wide


def _corner(weight: Any) -> tuple[slice, ...]:
    """Where a weight lies in that of a network with a wider code: the first entries along every axis."""
    return tuple(slice(size) for size in weight.shape)
