"""Forward: the short roads for a few rows and for plain numbers give what the long ones give."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from isthmus import MLP, Autoencoder, Huber, Linear, ReLU, Sigmoid, SiLU, Standard, Table, Tanh, Trainer
from isthmus.inputs.scaling import LIMIT, Scales

SHORT = Trainer(max_epochs=3)
X = np.random.default_rng(0).normal(size=(60, 4)) @ np.random.default_rng(1).normal(size=(4, 9))


@pytest.mark.parametrize(
    "architecture",
    [
        MLP((7, 5)),
        MLP((7,), activation=ReLU(), gaps=True),
        MLP((7,), tied=True, activation=Tanh()),
        MLP((7,), activation=Sigmoid()),
        MLP(()),
        Linear(),
    ],
    ids=repr,
)
def test_a_few_rows_score_as_in_company(architecture):
    """Codes, reconstructions and errors of single rows equal those of all rows to 1e-5, gaps included."""
    gappy = X.copy()
    gappy[::5, 2] = np.nan
    model = Autoencoder(3, architecture=architecture, trainer=SHORT, random_state=0).fit(gappy)
    for method in (model.transform, model.reconstruct, model.errors):
        alone = np.concatenate([method(gappy[i : i + 1]) for i in range(20)])
        assert np.allclose(alone, method(gappy)[:20], atol=1e-5, equal_nan=True)


def test_a_few_rows_score_with_the_weights_of_now():
    """After more training, a copy or new weights the arrays in use are the new ones."""
    model = Autoencoder(3, trainer=SHORT, random_state=0).fit(X)
    before = model.transform(X[:2])
    twin = copy.deepcopy(model)
    model.partial_fit(X)
    assert not (model.transform(X[:2]) == before).all()
    assert np.allclose(model.transform(X[:2]), model.transform(X)[:2], atol=1e-5)
    assert (twin.transform(X[:2]) == before).all()
    last = twin.network_.encoder.last
    last.weight = torch.nn.Parameter(torch.zeros_like(last.weight))
    assert np.allclose(twin.transform(X[:2]), twin.transform(X)[:2], atol=1e-5)


def test_codes_and_losses_of_other_kinds_take_the_long_road():
    """Whatever numpy does not know is left to torch."""
    model = Autoencoder(3, loss=Huber(), trainer=SHORT, random_state=0).fit(X)
    assert np.allclose(model.errors(X[:3]), model.errors(X)[:3], atol=1e-5)


@pytest.mark.parametrize("activation", [ReLU(), SiLU(), Sigmoid(), Tanh()], ids=repr)
def test_activations_of_arrays_are_those_of_tensors(activation):
    """Also far out, where an exponential would overflow."""
    a = np.array([-1e4, -90.0, -1.5, 0.0, 1.5, 90.0, 1e4], np.float32)
    assert np.allclose(activation.of_array(a), activation(torch.from_numpy(a)).numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint8", "int16", "int64", "bool"])
def test_plain_numbers_are_encoded_alike_by_the_short_road(dtype):
    """In every dtype, to float32's rounding."""
    values = (np.random.default_rng(0).normal(size=(50, 3)) * 20 + 30).clip(0, 200).astype(dtype)
    scales = Standard()(values.astype(np.float64))
    quick = scales.encode_whole(values)
    assert quick.dtype == np.float32
    assert np.allclose(quick, scales.encode(values.astype(np.float64)), atol=1e-5)


def test_the_short_road_is_not_taken_where_something_could_be_lost():
    """Gaps, infinities, values beyond the limit, columns far from zero, squeezed and empty ones."""
    easy = Scales((0.0,), (1.0,))
    assert easy.encode_whole(np.array([[1.0]])) is not None
    for value in (np.nan, np.inf, -np.inf, 2 * LIMIT):
        assert easy.encode_whole(np.array([[1.0], [value]])) is None
    assert Scales((1e12,), (1.0,)).encode_whole(np.array([[1e12]])) is None
    assert Scales((0.0,), (1.0,), empty=(0,)).encode_whole(np.array([[1.0]])) is None
    assert easy.encode_whole(np.array([["a"]], dtype=object)) is None
    far = np.array([[1e12], [1e12 + 1], [1e12 + 2]])
    model = Autoencoder(1, inputs=Table(), architecture=Linear(), random_state=0).fit(np.hstack([far, -far]))
    assert np.allclose(model.reconstruct(np.hstack([far, -far])), np.hstack([far, -far]), rtol=0, atol=0.01)


def test_errors_of_a_frame_by_position_carry_its_names():
    """A model of arrays given a DataFrame: the columns of the DataFrame, in its order."""
    model = Autoencoder(3, trainer=SHORT, random_state=0).fit(X)
    frame = pd.DataFrame(X, columns=list("ihgfedcba"))
    errors = model.errors(frame)
    assert list(errors.columns) == list("ihgfedcba")
    assert np.allclose(errors, model.errors(X), atol=1e-6)
