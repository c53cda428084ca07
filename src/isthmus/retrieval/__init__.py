"""Retrieval: find what is like this.

>>> from isthmus.retrieval import MeanShift, Retriever
"""

from isthmus.retrieval.default import default_model
from isthmus.retrieval.index import Exact, Graph, Index, Prefix
from isthmus.retrieval.metric import Cosine, Euclidean, Metric, Standardised
from isthmus.retrieval.retriever import Retriever
from isthmus.retrieval.space import ITQ, MeanShift

__all__ = [
    "ITQ",
    "Cosine",
    "Euclidean",
    "Exact",
    "Graph",
    "Index",
    "MeanShift",
    "Metric",
    "Prefix",
    "Retriever",
    "Standardised",
    "default_model",
]
