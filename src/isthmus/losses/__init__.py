"""Losses: how wrong a reconstruction is, cell by cell, L(x, x_hat).

A cell is one column of one row; a one-hot group is one cell. Errors come as (n, cells), so they can be
masked where a value was never observed, summed into the loss of a row, or read one by one to see which
column is to blame.

The default is the deviance: twice the log-likelihood given up by not predicting the cell exactly, with one
likelihood per kind of column. For a number (Gaussian of unit variance) that *is* the squared error; for a
yes/no column and for a category it is twice the cross-entropy. All columns are thus in one unit.

    numeric      (x - o)^2
    binary       2 log(1 + exp(-x o))              x in {-1, +1}, o a logit
    categorical  2 (log sum_l exp(o_l) - o_x)      o one logit per level

`link` maps the network's output o to x_hat, which lives in the space of x: o, tanh(o / 2), softmax(o).

>>> import torch
>>> from isthmus.parts import Layout
>>> Deviance()(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0]]), Layout.numeric(2))
tensor([[0., 4.]])
"""

from isthmus.losses.base import Loss
from isthmus.losses.counts import BinaryCrossEntropy, Multinomial
from isthmus.losses.deviance import Deviance
from isthmus.losses.distortion import LogDistortion
from isthmus.losses.squares import BoundedSquaredError, Huber, SquaredError

__all__ = [
    "BinaryCrossEntropy",
    "BoundedSquaredError",
    "Deviance",
    "Huber",
    "LogDistortion",
    "Loss",
    "Multinomial",
    "SquaredError",
]
