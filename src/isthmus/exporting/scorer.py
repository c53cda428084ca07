"""One Python file that needs numpy alone: readable functions on top, the weights as text below them.

Only what a model uses is written; the pieces stand in `pieces.py`. Weights are base64 of little-endian
float32, scales are spelled out so that they can be read.
"""

from __future__ import annotations

import base64
import textwrap
import types
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from torch import Tensor

import isthmus
from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError
from isthmus.codes import BatchTopK, BinaryCode, LinearCode, Nested, ReLUCode, SigmoidCode, TopK
from isthmus.exporting import pieces
from isthmus.exporting.columns import Outputs, array_dtype, fitted_schema, is_text, is_whole
from isthmus.inputs import ArraySchema, LevelSpec, NumberSpec, Scales, TableSchema, TruthSpec
from isthmus.inputs.columns import Spec
from isthmus.losses import BinaryCrossEntropy, BoundedSquaredError, Deviance, Huber, SquaredError
from isthmus.networks import Chain

__all__ = ["runner", "written"]

CODES = (LinearCode, SigmoidCode, ReLUCode, TopK, BatchTopK, Nested, BinaryCode)
LOSSES = (Deviance, SquaredError, BoundedSquaredError, Huber, BinaryCrossEntropy)
WIDTH = 96  # characters of base64 in a line


def written(model: Autoencoder) -> bytes:
    """The model as the source of a Python module."""
    _refuse_own_parts(model)
    schema = fitted_schema(model)
    table = isinstance(schema, TableSchema)
    parts = [
        pieces.HEAD.format(version=isthmus.__version__, fingerprint=model.fingerprint_["sha256"]),
        pieces.TABLE_DATA if table else pieces.ARRAY_DATA,
        pieces.SCALES,
        pieces.SQUEEZED if schema.scales.squeezed else pieces.PLAIN,
        pieces.NETWORK,
        _code_source(model),
        *_loss_sources(model),
        pieces.MAIN,
        pieces.TABLE_MAIN if table else pieces.ARRAY_MAIN,
        _constants(model),
        pieces.TAIL,
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part).encode("ascii") + b"\n"


def runner(model: Autoencoder, content: bytes) -> Callable[[Any], Outputs]:
    """The module's functions, as one function of data of the kind that was fitted."""
    module = types.ModuleType("exported_scorer")
    exec(compile(content, "<exported scorer>", "exec"), module.__dict__)  # our own text, to be checked
    functions = module.__dict__

    def run(X: Any) -> Outputs:
        z = functions["encode"](X)
        x_hat = functions["reconstruct"](X)
        if isinstance(model.schema_, TableSchema):
            specs = model.schema_.columns
            x_hat = [
                _as_number(x_hat[spec.name]) if not is_text(spec) else x_hat[spec.name] for spec in specs
            ]
        return Outputs(z, x_hat, functions["errors"](X), functions["score"](X))

    return run


def _as_number(column: Any) -> Any:
    """Moments as their microseconds, with NaN."""
    column = np.asarray(column)
    if column.dtype.kind not in "mM":
        return column.astype(np.float64)
    return np.where(np.isnat(column), np.nan, column.astype(np.int64).astype(np.float64))


def _refuse_own_parts(model: Autoencoder) -> None:
    network = model.network_
    ours = all(type(half) is Chain for half in (network.encoder, network.decoder))
    ours = ours and type(model.code) in CODES and type(model.loss) in LOSSES
    if ours:
        ours = all(type(half.activation).__name__ in pieces.ACTIVATIONS for half in _halves(model))
    if not ours:
        raise DataError(
            "a .py file holds dense networks made of isthmus's own parts; got another architecture, "
            "activation, code or loss. Use a name that ends in .onnx."
        )


def _halves(model: Autoencoder) -> tuple[Chain, Chain]:
    network = model.network_
    return cast("Chain", network.encoder), cast("Chain", network.decoder)


# ---------------------------------------------------------------- what is computed


def _code_source(model: Autoencoder) -> str:
    """The code and the activations."""
    code = model.code
    if isinstance(code, TopK):
        body = pieces.TOP_K.format(k=min(code.k, model.n_components_))
    elif isinstance(code, BatchTopK):
        threshold = float(model.network_.memory[1])
        body = f"a = np.maximum(a, 0)\nreturn a * (a > np.float32({threshold!r}))"
    else:
        bodies = {
            SigmoidCode: "return _sigmoid(a)",
            ReLUCode: "return np.maximum(a, 0)",
            BinaryCode: "return np.where(a >= 0, np.float32(1), np.float32(-1))",
        }
        body = bodies.get(type(code), "return a")
    up, down = (pieces.ACTIVATIONS[type(half.activation).__name__] for half in _halves(model))
    return pieces.CODE.format(code=_indented(body), encoder=up, decoder=down)


def _loss_sources(model: Autoencoder) -> list[str]:
    """The link and the error of every cell."""
    loss, layout = model.loss, model.schema_.layout
    name = type(loss).__name__
    if isinstance(loss, Deviance) and layout.all_numeric:
        name = "BoundedSquaredError" if layout.positive else "SquaredError"
    link, errors = pieces.LOSSES[name]
    sources = [pieces.LOSS.format(link=_indented(link), errors=_indented(errors))]
    if isinstance(loss, Huber):
        sources.insert(0, f"DELTA = {float(loss.delta)!r}")
    summed = name in ("SquaredError", "Huber") and not layout.all_numeric
    return [*sources, pieces.SUMMED if summed else pieces.NOT_SUMMED]


def _indented(body: str) -> str:
    return textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")


# ---------------------------------------------------------------- what was learned


def _constants(model: Autoencoder) -> str:
    """Columns, scales and weights as assignments."""
    schema = fitted_schema(model)
    encoder, decoder = (_chain(half) for half in _halves(model))
    facts = _table(schema) if isinstance(schema, TableSchema) else _array(schema)
    lines = [f"{name} = {value}" for name, value in {**facts, **_scales(schema.scales)}.items()]
    return "\n".join(
        ["# " + "-" * 64 + " what was learned", *lines, f"ENCODER = {encoder}", f"DECODER = {decoder}"]
    )


def _array(schema: ArraySchema) -> dict[str, str]:
    shape = schema.shape or (len(schema.names),)
    return {"SHAPE": repr(shape), "DTYPE": f"np.dtype({array_dtype(schema).name!r})"}


def _table(schema: TableSchema) -> dict[str, str]:
    """NAMES, COLUMNS (kind, first feature, end, details) and the layout of cells."""
    rows = [
        f"    ({_kind(spec)!r}, {cell.start}, {cell.stop}, {_details(spec)}),"
        for cell, spec in zip(schema.layout.cells, schema.columns, strict=True)
    ]
    return {
        "NAMES": _literal(list(schema.names)),
        "COLUMNS": "\n".join(["[", *rows, "]"]),
        "WIDTH": str(schema.layout.width),
    }


def _kind(spec: Spec) -> str:
    if isinstance(spec, TruthSpec):
        return "truth"
    if isinstance(spec, LevelSpec):
        return "text" if is_text(spec) else "levels"
    return spec.temporal or ("whole" if is_whole(spec) else "number")


def _details(spec: Spec) -> str:
    """A category's levels, the dtype of a whole number, or what moments are multiples of."""
    if isinstance(spec, LevelSpec):
        return f"({_literal(list(spec.levels))}, {spec.others > 0})"
    if isinstance(spec, NumberSpec) and is_whole(spec):
        return repr(spec.dtype.text.lower())
    if isinstance(spec, NumberSpec) and spec.step:
        return repr(spec.step)
    return "None"


def _literal(values: list[Any]) -> str:
    """Names and levels as source: only literals, whatever characters they hold."""
    return "[" + ", ".join(ascii(value) for value in values) + "]"


def _scales(scales: Scales) -> dict[str, str]:
    made = {
        "CENTRE": _floats(scales.centre),
        "SCALE": _floats(scales.scale),
        "EMPTY": repr(list(scales.empty)),
    }
    if scales.squeezed:
        made["SQUEEZED"] = repr(list(scales.squeezed))
        made |= {name.upper(): _floats(getattr(scales, name)) for name in ("median", "spread", "cap")}
    return made


def _floats(values: tuple[float, ...]) -> str:
    """float64 numbers to the last digit."""
    numbers = [float(value) for value in values]
    if len(set(numbers)) == 1 and len(numbers) > 3:
        return f"np.full({len(numbers)}, {numbers[0]!r})"
    return "\n".join(textwrap.wrap(f"np.array({numbers!r}, dtype=float)", 110, subsequent_indent="    "))


def _chain(chain: Chain) -> str:
    """A chain as (layers, road, gaps): pairs of weight (in, out) and bias; a matrix or None, twice."""
    layers = [
        f"        ({_weights(layer.weight.t())},\n         {_weights(layer.bias)}),"
        for layer in _layers(chain)
    ]
    extras = [None if extra is None else _weights(extra.weight.t()) for extra in (chain.road, chain.gaps)]
    return (
        "(\n    [\n" + "\n".join(layers) + "\n    ],\n" + "".join(f"    {extra},\n" for extra in extras) + ")"
    )


def _layers(chain: Chain) -> list[Any]:
    return list(chain.layers)


def _weights(tensor: Tensor) -> str:
    values = np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype="<f4")
    text = base64.b64encode(values.tobytes()).decode("ascii")
    lines = [text[i : i + WIDTH] for i in range(0, len(text), WIDTH)]
    return f"_array({values.shape!r}, '''\n" + "\n".join(lines) + "''')"
