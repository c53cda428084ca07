"""The error of a model that is used before it is fitted.

A module of its own because its base is scikit-learn's: it is imported only when there is something to raise.
"""

from __future__ import annotations

from sklearn.exceptions import NotFittedError

from isthmus.checks import DataError

__all__ = ["UnfittedError"]


class UnfittedError(DataError, NotFittedError):
    """The model must be fitted first; `except sklearn.exceptions.NotFittedError` catches it too."""
