"""A fitted model as one torch module, from the user's numbers to the user's numbers, to be traced.

Only operations that ONNX runtimes have in float64 are used: asinh and sinh are spelled with logarithms and
exponentials.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.autoencoder import Autoencoder
from isthmus.exporting.columns import Fitted, array_dtype, fitted_schema, is_text, is_whole, split_columns
from isthmus.inputs import ArraySchema, LevelSpec, NumberSpec, Scales, TableSchema, TruthSpec
from isthmus.inputs.columns import Spec
from isthmus.inputs.scaling import LIMIT
from isthmus.networks import Network
from isthmus.parts import Cell

__all__ = ["Scorer", "reader_of", "scorer_of"]

LARGE = 1e8  # beyond it asinh(u) = log(2 u) to the last digit, and u^2 must not overflow


def _constant(values: Any) -> Tensor:
    return torch.tensor(np.asarray(values, dtype=np.float64))


class ScalesModule(nn.Module):
    """`Scales` as a module: numbers of any unit as numbers near 1, in float64, and back."""

    centre: Tensor
    scale: Tensor
    median: Tensor
    spread: Tensor
    cap: Tensor
    squeezed: Tensor
    empty: Tensor

    def __init__(self, scales: Scales) -> None:
        super().__init__()
        m = len(scales.centre)
        which = list(scales.squeezed)
        flags, filled = np.zeros(m, bool), {"median": np.zeros(m), "spread": np.ones(m), "cap": np.ones(m)}
        flags[which] = True
        for name, values in filled.items():
            values[which] = getattr(scales, name)
            self.register_buffer(name, _constant(values))
        self.register_buffer("centre", _constant(scales.centre))
        self.register_buffer("scale", _constant(scales.scale))
        self.register_buffer("squeezed", torch.tensor(flags))
        self.register_buffer(
            "empty", torch.tensor([j in set(scales.empty) for j in range(m)], dtype=torch.bool)
        )
        self.has_squeezed, self.has_empty = bool(which), bool(scales.empty)

    def encode(self, values: Tensor) -> Tensor:
        """(n, m) float64 in the data's units -> (n, m) float64 scaled."""
        if self.has_squeezed:
            u = (values - self.median) / self.spread
            size = u.abs()
            near = size.clamp(max=LARGE)
            small = torch.log(near + torch.sqrt(near * near + 1))
            far = torch.log(size.clamp(min=LARGE)) + float(np.log(2))
            values = torch.where(self.squeezed, torch.sign(u) * torch.where(size > LARGE, far, small), values)
        return ((values - self.centre) / self.scale).clamp(-LIMIT, LIMIT)

    def decode(self, scaled: Tensor) -> Tensor:
        """(n, m) float32 scaled -> (n, m) float64 in the data's units."""
        values = scaled.double() * self.scale + self.centre
        if self.has_squeezed:
            v = torch.minimum(torch.maximum(values, -self.cap), self.cap)
            grown = (torch.exp(v) - torch.exp(-v)) / 2 * self.spread + self.median
            values = torch.where(self.squeezed, grown, values)
        if self.has_empty:
            values = values.masked_fill(self.empty, torch.nan)
        return values


def _bounds(dtype: str) -> tuple[float, float]:
    """The least and the largest float64 that a whole-number dtype holds."""
    limits = np.iinfo(dtype)
    top = float(limits.max)
    return float(limits.min), top if int(top) <= limits.max else float(np.nextafter(top, 0))


class ArrayReader(nn.Module):
    """An `ArraySchema` as a module."""

    def __init__(self, schema: ArraySchema) -> None:
        super().__init__()
        self.scales = ScalesModule(schema.scales)
        self.width, self.shape = len(schema.names), schema.shape or (len(schema.names),)
        self.dtype = array_dtype(schema)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """X (n, *shape) -> x (n, d) float32 and which cells are missing (n, d)."""
        values = X.reshape(-1, self.width).double()
        missing = torch.isnan(values)
        return self.scales.encode(values).masked_fill(missing, 0.0).float(), missing

    def decode(self, x_hat: Tensor) -> tuple[Tensor, ...]:
        """x_hat (n, d) as (n, *shape) of the fitted dtype."""
        values = self.scales.decode(x_hat)
        if self.dtype.kind == "b":
            values = values > 0.5
        elif self.dtype.kind in "iu":
            values = torch.round(values).clamp(*_bounds(self.dtype.name))
        kind = getattr(torch, self.dtype.name)
        return (values.to(kind).reshape(-1, *self.shape),)


class TableReader(nn.Module):
    """A `TableSchema` as a module: X (n, numbers) float64 and, where there is text, its codes (n, texts).

    Columns of one kind are handled together, so that the graph does not grow with their number; only columns
    whose levels are numbers are taken one by one.
    """

    def __init__(self, schema: TableSchema) -> None:
        super().__init__()
        self.scales = ScalesModule(schema.scales)
        self.specs, self.cells = schema.columns, schema.layout.cells
        self.numbers, self.text = split_columns(schema)
        place = {j: i for group in (self.numbers, self.text) for i, j in enumerate(group)}
        kinds = [_kind(spec) for spec in self.specs]
        self.of_kind = {kind: [j for j, one in enumerate(kinds) if one == kind] for kind in KINDS}
        self.place = {kind: [place[j] for j in self.of_kind[kind]] for kind in KINDS}
        self.start = {kind: [self.cells[j].start for j in self.of_kind[kind]] for kind in KINDS}
        self.levels = {
            j: _constant([float(v) for v in _levels(self.specs[j])]) for j in self.of_kind["levels"]
        }
        self._index_text()
        self._bound_whole()

    def _index_text(self) -> None:
        """Which column and which level every feature of text is; the features of every column, padded."""
        cells = [self.cells[j] for j in self.of_kind["text"]]
        self.text_column = [i for i, cell in enumerate(cells) for _ in range(cell.width)]
        self.text_level = torch.tensor([level for cell in cells for level in range(cell.width)])
        longest = max((cell.width for cell in cells), default=0)
        offsets = np.arange(longest)
        starts, widths = (np.array([[f(cell)] for cell in cells], int) for f in (_start, _width))
        self.padding = torch.tensor(offsets >= widths)
        self.padded = torch.tensor(np.where(offsets < widths, starts + offsets, starts)).reshape(-1)

    def _bound_whole(self) -> None:
        """Which numbers are rounded, to what, and within which bounds."""
        specs = [self.specs[j] for j in self.of_kind["number"]]
        bounds = [_bounds(spec.dtype.text.lower()) if is_whole(spec) else (-np.inf, np.inf) for spec in specs]
        steps = [1 if is_whole(spec) else spec.step if isinstance(spec, NumberSpec) else 0 for spec in specs]
        self.is_rounded = torch.tensor([step > 0 for step in steps])
        self.step = _constant([float(max(step, 1)) for step in steps])
        self.low, self.high = (_constant([pair[end] for pair in bounds]) for end in (0, 1))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The features x (n, d) float32, and which cells are missing (n, cells)."""
        X, codes = inputs[0], inputs[-1]  # the same one where only numbers or only text are there
        features, missing = [], []
        if self.place["number"]:
            values = X[:, self.place["number"]]
            gone = torch.isnan(values)
            features.append(self.scales.encode(values).masked_fill(gone, 0.0).float())
            missing.append(gone)
        if self.place["truth"]:
            values = X[:, self.place["truth"]]
            gone = torch.isnan(values)
            features.append(torch.where(gone, 0.0, torch.where(values != 0, 1.0, -1.0)).float())
            missing.append(gone)
        if self.place["text"]:
            features.append((codes[:, self.text_column] == self.text_level).float())
            missing.append(codes < 0)
        for i, j in zip(self.place["levels"], self.of_kind["levels"], strict=True):
            features.append(self._one_of(j, X[:, i : i + 1]))
            missing.append((features[-1] == 0).all(1, keepdim=True))
        made = [j for kind in KINDS for j in self.of_kind[kind]]
        placed = [f for j in made for f in range(self.cells[j].start, self.cells[j].stop)]
        return _sorted(features, placed), _sorted(missing, made)

    def _one_of(self, j: int, value: Tensor) -> Tensor:
        """A column (n, 1) whose levels are numbers, as features (n, width)."""
        spec = self.specs[j]
        known = value == self.levels[j]
        if isinstance(spec, LevelSpec) and spec.others:
            other = ~known.any(1, keepdim=True) & ~torch.isnan(value)
            known = torch.cat([known, other], 1)
        if not len(self.levels[j]):  # a column that never had a value is one empty feature
            known = torch.zeros_like(value, dtype=torch.bool)
        return known.float()

    def decode(self, x_hat: Tensor) -> tuple[Tensor, ...]:
        """X_hat (n, numbers) float64 and, where there is text, its codes (n, texts)."""
        columns = []
        if self.start["number"]:
            values = self.scales.decode(x_hat[:, self.start["number"]])
            rounded = torch.round(values / self.step) * self.step
            rounded = torch.minimum(torch.maximum(rounded, self.low), self.high)
            columns.append(torch.where(self.is_rounded, rounded, values))
        if self.start["truth"]:
            columns.append((x_hat[:, self.start["truth"]] > 0).double())
        for j in self.of_kind["levels"]:
            best = x_hat[:, self.cells[j].start : self.cells[j].stop].argmax(1)
            columns.append(torch.cat([self.levels[j], _constant([torch.nan])])[best][:, None])
        made = [j for kind in ("number", "truth", "levels") for j in self.of_kind[kind]]
        numbers = (_sorted(columns, made),) if made else ()
        if not self.text:
            return numbers
        groups = x_hat[:, self.padded].reshape(-1, *self.padding.shape)
        return *numbers, groups.masked_fill(self.padding, -torch.inf).argmax(2)


KINDS = ("number", "truth", "text", "levels")


def _kind(spec: Spec) -> str:
    if isinstance(spec, NumberSpec):
        return "number"
    return "truth" if isinstance(spec, TruthSpec) else "text" if is_text(spec) else "levels"


def _levels(spec: Spec) -> tuple[Any, ...]:
    return spec.levels if isinstance(spec, LevelSpec) else ()


def _start(cell: Cell) -> int:
    return cell.start


def _width(cell: Cell) -> int:
    return cell.width


def _sorted(blocks: list[Tensor], places: list[int]) -> Tensor:
    """Blocks of columns side by side, column i of them all going to places[i]."""
    joined = torch.cat(blocks, 1)
    order = sorted(range(len(places)), key=places.__getitem__)
    return joined if order == list(range(len(places))) else joined[:, order]


def reader_of(schema: Fitted) -> ArrayReader | TableReader:
    """The schema as a module."""
    return ArrayReader(schema) if isinstance(schema, ArraySchema) else TableReader(schema)


class Scorer(nn.Module):
    """Everything at once: inputs -> z, x_hat (and text_hat), errors, score."""

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        schema = fitted_schema(model)
        self.reader = reader_of(schema)
        self.network: Network = model.network_
        self.loss, self.layout = model.loss, schema.layout

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs of an exported model, in their order."""
        x, missing = self.reader(*inputs)
        z = self.network.encode(x)
        output = self.network.decode(z)
        errors = self.loss(x, output, self.layout)
        seen = (~missing).to(errors.dtype)
        score = errors.masked_fill(missing, 0.0).sum(1) / seen.sum(1)
        x_hat = self.reader.decode(self.loss.link(output, self.layout))
        return z, *x_hat, errors.masked_fill(missing, torch.nan), score


def scorer_of(model: Autoencoder) -> Scorer:
    """The module, ready to be traced."""
    return Scorer(model).eval()
