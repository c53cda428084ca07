"""Is the exported thing the model? It is run on rows beside the model before it is written."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError
from isthmus.exporting.columns import Fitted, Outputs, array_dtype, fitted_schema, is_whole
from isthmus.inputs import ArraySchema, LevelSpec, NumberSpec
from isthmus.inputs.frames import library_of
from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
else:
    from isthmus.lazily import torch

__all__ = ["LIMIT", "check_rows", "difference", "refuse_difference"]

LIMIT = 1e-5
ROUNDED = 1e-4  # of z's size: more is not rounding
ROWS = 200
EDGE = 0.01  # share of rows that may sit on the edge of a sparse code

Array = NDArray[np.float64]


def refuse_difference(model: Autoencoder, run: Callable[[Any], Outputs], rows: Any = None) -> float:
    """The largest difference between `run` and the model, if it is small enough."""
    X = check_rows(fitted_schema(model)) if rows is None else rows
    found = max(difference(model, run(part), part) for part in _batches(X))
    if not found <= LIMIT:
        raise DataError(
            "the exported model must match the model to "
            f"{LIMIT:g} of the data's scale; got a difference of {found:.2g}. "
            "Nothing was written: use isthmus.save, and report it."
        )
    return found


def _batches(X: Any) -> list[Any]:
    """The rows in batches of 1, 7 and all others, so that any number of rows is known to work."""
    take = X.iloc if library_of(X) == "pandas" else X
    return [part for part in (take[:1], take[1:8], take[8:]) if len(part)]


def difference(model: Autoencoder, got: Outputs, X: Any) -> float:
    """The largest difference on the rows of X, as the text of `isthmus.exporting` defines it."""
    schema = fitted_schema(model)
    x = schema.encode(X).x
    z, x_hat = model.transform_plain(X), model.reconstruct_encoded(X)
    errors = np.asarray(model.errors(X), dtype=np.float64)
    size = np.maximum(1.0, np.maximum(_largest(x), _largest(x_hat)))
    wrong = np.maximum(size**2, _largest(np.where(np.isfinite(errors), errors, 0.0)))
    z_gap, z_size = _gap(got.z, z), size * _usual(z)
    if (z_gap > LIMIT * z_size).any() and not model.code.sparse:
        z_gap = np.maximum(z_gap - np.minimum(2 * _rounding(model, x, z), ROUNDED * z_size), 0.0)
    parts = [
        z_gap / z_size,
        _x_hat_gap(schema, got.x_hat, x_hat) / size,
        _gap(got.errors, errors) / wrong,
        _gap(got.score[:, None], _row_means(errors)[:, None]) / wrong,
    ]
    worst = np.max(parts, axis=0)
    if model.code.sparse:
        edge = ((got.z != 0) != (z != 0)).any(1)
        if edge.mean() <= max(EDGE, 1 / ROWS):
            worst = worst[~edge]
    return float(worst.max(initial=0.0))


def _largest(values: NDArray[Any]) -> Array:
    largest: Array = np.abs(values).max(1, initial=0.0).astype(np.float64)
    return largest


def _usual(z: NDArray[Any]) -> float:
    """The size of an ordinary code."""
    return float(np.median(_largest(z))) or 1.0


def _rounding(model: Autoencoder, x: NDArray[np.float32], z: NDArray[Any]) -> Array:
    """How far each row's code is from what the same network makes of it in float64: sums over many pixels
    that nearly cancel keep fewer digits, in whatever order they are taken.
    """
    network = copy.deepcopy(model.network_).eval().cpu().double()
    try:
        with torch.no_grad():
            return _gap(z, network.encode(torch.from_numpy(x.astype(np.float64))).numpy())
    except RuntimeError:  # a user's own module may know float32 alone
        return np.zeros(len(z))


def _row_means(errors: Array) -> Array:
    seen = (~np.isnan(errors)).sum(1)
    return np.where(seen > 0, np.nansum(errors, 1) / np.maximum(seen, 1), np.nan)


def _gap(got: NDArray[Any], wanted: NDArray[Any], slack: Any = 0.0) -> Array:
    """Each row's largest difference (n,) beyond `slack`; infinite where only one of both is a number."""
    if np.shape(got) != np.shape(wanted):
        return np.full(len(wanted), np.inf)
    a, b = np.asarray(got, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.maximum(np.abs(a - b) - slack, 0.0)
    apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.nan_to_num(apart, nan=np.inf))
    largest: Array = apart.max(1, initial=0.0)
    return largest


def _x_hat_gap(schema: Fitted, got: Any, x_hat: NDArray[np.float32]) -> Array:
    """Each row's largest difference of reconstructions, in standard units."""
    if isinstance(schema, ArraySchema):
        wanted, slack = _bounded(schema.scales.decode(x_hat), array_dtype(schema))
        return _in_units(schema, np.asarray(got).reshape(len(x_hat), -1), wanted, slack)
    pairs = list(zip(schema.layout.cells, schema.columns, got, strict=True))
    numbers = [(cell, spec, column) for cell, spec, column in pairs if isinstance(spec, NumberSpec)]
    gaps = [np.zeros(len(x_hat))]
    if numbers:
        wanted = schema.scales.decode(x_hat[:, [cell.start for cell, _, _ in numbers]])
        slack = np.array([0.5 if is_whole(spec) else spec.step / 2 for _, spec, _ in numbers])
        bounded = [
            _bounded(wanted[:, j], np.dtype(spec.dtype.text.lower()))[0] if is_whole(spec) else wanted[:, j]
            for j, (_, spec, _) in enumerate(numbers)
        ]
        columns = np.column_stack([column for _, _, column in numbers])
        gaps.append(_in_units(schema, columns, np.column_stack(bounded), slack))
    for cell, spec, column in pairs:
        if not isinstance(spec, NumberSpec):
            gaps.append(_wrong_answers(spec, column, x_hat[:, cell.start : cell.stop]))
    largest: Array = np.max(gaps, axis=0)
    return largest


def _bounded(values: Array, dtype: np.dtype[Any]) -> tuple[Array, Any]:
    """Values before rounding, within the dtype's range, and how far rounding may move them."""
    if dtype.kind == "b":
        return np.clip(values, 0, 1), 0.5
    if dtype.kind in "iu":
        return np.clip(values, float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)), 0.5
    exact = dtype.itemsize >= 8
    return values, 0.0 if exact else np.nan_to_num(np.spacing(np.abs(values).astype(dtype))).astype(float)


def _in_units(schema: Fitted, got: NDArray[Any], wanted: Array, slack: Any) -> Array:
    if got.shape != wanted.shape:
        return np.full(len(wanted), np.inf)
    away = got.astype(np.float64) - wanted
    beyond = np.sign(away) * np.maximum(np.abs(away) - slack, 0.0)
    return _gap(schema.scales.encode(wanted + beyond), schema.scales.encode(wanted))


def _wrong_answers(spec: Any, column: Any, x_hat: NDArray[np.float32]) -> Array:
    """How much less likely than the model's own answer each answer is: 0 where it is the same."""
    if not isinstance(spec, LevelSpec):
        differs = (np.asarray(column, dtype=np.float64) > 0.5) != (x_hat[:, 0] > 0)
        return np.where(differs, np.abs(x_hat[:, 0]), 0.0).astype(np.float64)
    place = {level: j for j, level in enumerate(spec.levels)}
    chosen = np.array([place.get(value, len(spec.levels)) for value in column], dtype=int)
    if not spec.levels:
        return np.zeros(len(x_hat))
    padded = np.column_stack([x_hat, np.full(len(x_hat), -np.inf)])
    lost: Array = x_hat.max(1).astype(np.float64) - padded[np.arange(len(x_hat)), chosen]
    return lost


# ---------------------------------------------------------------- rows to check on


def check_rows(schema: Fitted) -> Any:
    """ROWS rows like those that were fitted, drawn at random: ordinary ones, far ones, some with gaps."""
    generator = np.random.default_rng(0)
    X = schema.decode(_draw(schema.layout, generator))
    blank = generator.random((ROWS, len(schema.layout.cells))) < 0.1
    blank[: ROWS // 2] = False
    blank[-1] = True
    if isinstance(schema, ArraySchema):
        if array_dtype(schema).kind == "f":
            X = np.array(X, dtype=array_dtype(schema))
            X[blank.reshape(X.shape)] = np.nan
        return X
    return _blanked(X, blank)


def _draw(layout: Layout, generator: np.random.Generator) -> NDArray[np.float32]:
    """Encoded rows: numbers around 0, or in [0, 1], a few rows far out; signs; one level of each group."""
    x = np.zeros((ROWS, layout.width), np.float32)
    rows = np.arange(ROWS)
    if layout.all_numeric:
        x[:] = generator.random(x.shape) if layout.positive else generator.normal(size=x.shape)
        x[10:15] *= 1.0 if layout.positive else 100.0
        return x
    for cell in layout.cells:
        if cell.kind == "numeric":
            x[:, cell.start] = generator.normal(size=ROWS)
        elif cell.kind == "binary":
            x[:, cell.start] = generator.choice([-1.0, 1.0], ROWS)
        else:
            x[rows, cell.start + generator.integers(cell.width, size=ROWS)] = 1.0
    return x


def _blanked(X: Any, blank: NDArray[np.bool_]) -> Any:
    """A frame with some cells missing."""
    if library_of(X) == "polars":
        import polars

        masks = {name: polars.Series(blank[:, j]) for j, name in enumerate(X.columns)}
        return X.with_columns(
            polars.when(polars.lit(mask)).then(None).otherwise(polars.col(name)).alias(name)
            for name, mask in masks.items()
        )
    made = X.copy()
    for j, name in enumerate(X.columns):
        made[name] = X[name].mask(blank[:, j])
    return made
