"""A committee: several networks of one shape as one, whose output is the mean of theirs.

Each has learned the data and something of its own - its start, its batches, its noise - which the mean has
less of: the error of a mean is that of the members less the spread between them (Krogh & Vedelsby 1995).
Dense layers side by side are one dense layer, with zeros where one member would see another's numbers; so
the mean of networks is a network, kept, exported and applied like any other.

>>> import numpy as np
>>> from isthmus import Autoencoder, fit_many
>>> X = np.random.default_rng(0).normal(size=(200, 3)) @ np.random.default_rng(1).normal(size=(3, 8))
>>> some = fit_many([Autoencoder(3, random_state=seed) for seed in range(2)], X)
>>> made = united(some).reconstruct(X)
>>> bool(np.allclose(made, (some[0].reconstruct(X) + some[1].reconstruct(X)) / 2, atol=1e-4))
True
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from isthmus.checks import must, need
from isthmus.codes import LinearCode
from isthmus.networks import MLP, PlainNetwork, dense_layers
from isthmus.wording import counted

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

__all__ = ["united"]

RULE = "dense autoencoders of one shape, with linear codes, fitted on the same columns"


def united(models: Sequence[Autoencoder]) -> Autoencoder:
    """One model whose output, before the loss's link, is the mean of theirs; they are left as they are.

    models: fitted autoencoders of one `MLP` that is not tied, with linear codes and one loss, that read their
        data alike; their codes stand side by side in its code.

    Raises DataError for others.
    """
    need(len(models) > 0, "models", "be one or more", "none", "Use fit_many([...], X)")
    first, K, shape = models[0], len(models), _shape(models[0])
    for model in models[1:]:
        need(_shape(model) == shape, "models", f"be {RULE}", model, "Use fit_many([...], X)")
    layers = shape[1]
    one = copy.copy(first)
    one.architecture = layers.with_params(hidden=tuple(K * width for width in layers.hidden or ()))
    one.n_components = one.n_components_ = K * first.n_components_
    one.history_rows_, one.kept_epoch_ = list(first.history_rows_), None
    one.notes_ = [*first.notes_, f"The mean of {counted(K, 'network')}, as one; what is told is the first's."]
    plain = all(isinstance(model._network, PlainNetwork) for model in models)
    wide = one._build(plain=plain)
    weights = [(model if plain else model.network_).state_dict() for model in models]
    for name, there in wide.state_dict().items():
        there[...] = 0
        for i, own in enumerate(weights):
            here = own[name]
            mean = there.shape[0] == here.shape[0]  # what comes out of it, comes out for all
            there[_block(i, here.shape, there.shape)] += here / K if mean else here
    one._network = wide
    wide.eval()
    return one


def _shape(model: Autoencoder) -> tuple[Any, MLP]:
    """What must be equal for networks to stand side by side, and their layers."""
    model.must_be_fitted()
    layers = dense_layers(model.architecture, model.schema_.layout)
    if layers is None or type(model.code) is not LinearCode:
        raise must("models", f"be {RULE}", model, "Average what they return")
    layers = layers.with_params(hidden=layers.widths(model.schema_.layout.width))
    return (repr(model.loss), model.n_components_, model.schema_), layers


def _block(i: int, own: Sequence[int], whole: Sequence[int]) -> tuple[slice, ...]:
    """Where the weights of member i lie: all along an axis that is shared, else its own part of it."""
    pairs = zip(own, whole, strict=True)
    return tuple(slice(None) if n == all_of else slice(i * n, (i + 1) * n) for n, all_of in pairs)
