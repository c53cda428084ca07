"""Learning: the model of a retriever, what is known of its rows, and how their codes are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, brief, need
from isthmus.inputs import Source
from isthmus.inputs.frames import is_frame
from isthmus.retrieval.coder import Coder, is_fitted
from isthmus.retrieval.default import default_model
from isthmus.retrieval.facts import Fact, described
from isthmus.retrieval.metric import Euclidean, Metric, chosen
from isthmus.retrieval.reading import gathered, picked
from isthmus.retrieval.space import ITQ, MeanShift, Space

__all__ = ["facts_of", "learned_space", "trained"]


def trained(model: Any, X: Any, seed: int) -> Any:
    """The model as it is where it is fitted, a clone of it trained on X otherwise; of None the default."""
    if model is not None and is_fitted(model):
        return model
    model = default_model(X) if model is None else clone(model)
    if isinstance(model, Autoencoder):
        own = model.random_state is None
        return model.set_params(random_state=seed % 2**31 if own else model.random_state).fit(X)
    try:
        return model.fit(gathered(X) if isinstance(X, Source) else X)
    except DataError:
        raise
    except (ValueError, TypeError) as error:
        kind, do = type(model).__name__, "Use Autoencoder(8), which reads every kind of column"
        raise DataError(f"X must suit {kind}; it says: {brief(str(error))}. {do}.") from None


def facts_of(X: Any, metadata: Any) -> list[Fact]:
    """Those of the metadata, then the columns of X itself."""
    own = described(X, own=True) if is_frame(X) else []
    more = [] if metadata is None else described(metadata, own=False)
    twice = {str(f.name) for f in own} & {str(f.name) for f in more}
    need(not twice, "metadata", "have names of its own", ", ".join(sorted(twice)), "Leave out what X has")
    return [*more, *own]


def learned_space(
    coder: Coder, X: Any, metric: Metric | None, smoothing: MeanShift | None, bits: ITQ | None, seed: int
) -> tuple[Space, Metric, dict[str, float]]:
    """How codes are compared, learned on rows X: the space, its metric, and the errors it was chosen by."""
    z, errors = coder.encode(X), dict[str, float]()
    good = z.ndim == 2 and bool(np.isfinite(z).all())
    need(good, "codes", "be finite numbers", "others", "Check the model")
    if coder.binary:
        metric = Euclidean() if metric is None else metric
        need(bits is None, "bits", "be None for a code of bits", bits, "Leave it out")
        need(smoothing is None, "smoothing", "be None for bits", smoothing, "Leave it out")
    elif metric is None:
        counts = coder.counts(X)
        metric, errors = chosen(z, lambda which: coder.units(picked(X, which)), seed, counts=counts)
    return Space.learn(z, metric, smoothing, bits, coder.binary, seed), metric, errors
