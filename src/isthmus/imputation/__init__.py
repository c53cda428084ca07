"""Imputation: the gaps of a table filled, drawn several times, and pooled.

>>> from isthmus.imputation import Imputer, pool
"""

from isthmus.imputation.blend import Blend
from isthmus.imputation.folds import default_model
from isthmus.imputation.imputer import Imputer
from isthmus.imputation.pooling import Pooled, pool

__all__ = ["Blend", "Imputer", "Pooled", "default_model", "pool"]
