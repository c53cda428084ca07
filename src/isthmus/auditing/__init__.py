"""Audit: whether a representation is any good, and what to do about it.

An autoencoder may merely memorise, or copy, or learn nothing PCA would not. `audit` looks for each, cheaply
and on rows the model did not learn from, and ends in one verdict with the action to take; every look is a
small function in a file of its own, and `verdict.py` holds the rules.

>>> from isthmus.auditing import Audit, audit
"""

from isthmus.auditing.audited import Audit, audit
from isthmus.auditing.curve import ComponentCurve, component_curve
from isthmus.auditing.tradeoff import Tradeoff, tradeoff

__all__ = ["Audit", "ComponentCurve", "Tradeoff", "audit", "component_curve", "tradeoff"]
