"""The model a retriever trains when it is given none."""

from __future__ import annotations

from typing import Any

from isthmus.autoencoder import Autoencoder
from isthmus.checks import need
from isthmus.corruptions import Distortion, MaskingNoise
from isthmus.inputs import Folder, Pictures, Source
from isthmus.losses import Multinomial
from isthmus.networks import MLP, Suited
from isthmus.retrieval.rows import is_sparse, is_texts
from isthmus.training import Trainer

__all__ = ["default_model"]

CODE = 32
WORDS = 64
SAMPLE = 1_000  # texts that mostly have enough words


def default_model(X: Any) -> Any:
    """An autoencoder that gives back rows from what was done to them, so that its code keeps what matters.

    Pictures are moved, turned and bent, and given back as they were: codes of one thing seen twice are alike.
    Of sparse rows half the entries are hidden, of tables a quarter of the cells.
    """
    if is_texts(X):
        return _of_texts(X)
    if is_sparse(X):
        return Autoencoder(
            min(WORDS, X.shape[1] - 1),
            architecture=MLP((512,), from_pca=False),
            loss=Multinomial(),
            corruption=MaskingNoise(0.5),
        )
    if isinstance(X, Pictures) or (not isinstance(X, Source) and _pictured(X)):
        return Autoencoder(
            CODE,
            architecture=MLP((512, 256)),
            corruption=Distortion(),
            trainer=Trainer(batch_size=512, lr=2e-3),
        )
    if isinstance(X, Folder) or (hasattr(X, "ndim") and X.ndim > 2):
        return Autoencoder(CODE, architecture=Suited())
    return Autoencoder("auto", corruption=MaskingNoise(0.25))


def _of_texts(X: Any) -> Any:
    """Latent semantic analysis, of words that occur twice where there are more than the code has numbers."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    often = 2 if any(_words(some, 2) > WORDS for some in (X[:SAMPLE], X)) else 1
    size = WORDS if often == 2 else min(WORDS, _words(X, 1) - 1)
    need(size > 0, "X", "be texts with two different words at least", size + 1, "Use longer texts")
    words = TfidfVectorizer(sublinear_tf=True, min_df=often)
    return make_pipeline(words, TruncatedSVD(size, random_state=0))


def _words(texts: Any, least: int) -> int:
    """How many words stand in `least` of the texts and more."""
    from sklearn.feature_extraction.text import CountVectorizer

    try:
        return len(CountVectorizer(min_df=least).fit(texts).vocabulary_)
    except ValueError:  # not one
        return 0


def _pictured(X: Any) -> bool:
    """Whether an array is read as pictures of at least 8 pixels a side."""
    from isthmus.inputs import Auto, ImagesSchema

    return (
        getattr(X, "ndim", 2) > 2 and isinstance(Auto().fit(X[:64]), ImagesSchema) and min(X.shape[1:3]) >= 8
    )
