"""The source that exported Python files are made of. Every piece is plain numpy; `scorer.py` picks."""

# ruff: noqa: E501
# one long file, because it is text to be read in one go, not code of this package

from __future__ import annotations

HEAD = '''
"""A trained autoencoder that needs numpy alone. Written by isthmus {version}; do not edit.

    encode(X)       the codes z: (n, k) float32
    decode(z)       codes back as data of the kind that was fitted
    reconstruct(X)  the rows as the model rebuilds them, gaps filled
    errors(X)       the error of every cell: (n, columns), NaN where missing
    score(X)        the mean error per observed cell: (n,); higher is stranger

    python THIS_FILE rows.csv     prints the score of every row (.csv, or .npy for arrays)

Fingerprint of the training data: {fingerprint}
"""

import base64
import csv
import sys

import numpy as np


def encode(X):
    """The codes of the rows of X: (n, k) float32."""
    return _code(_run(ENCODER, _encoder_activation, _features(X)[0]))


def decode(z):
    """Codes (n, k) as data of the kind that was fitted."""
    return _data(_link(_run(DECODER, _decoder_activation, np.asarray(z, dtype=np.float32))))


def reconstruct(X):
    """X as the model rebuilds it."""
    return decode(encode(X))


def errors(X):
    """The error of every cell: (n, columns) float32, NaN where missing."""
    x, missing = _features(X)
    z = _code(_run(ENCODER, _encoder_activation, x))
    cells = _summed(_errors(x, _run(DECODER, _decoder_activation, z)))
    return np.where(missing, np.float32("nan"), cells)


def score(X):
    """The mean error per observed cell of every row: (n,); NaN for a row that holds nothing."""
    cells = errors(X)
    seen = ~np.isnan(cells)
    count = seen.sum(1)
    return np.where(count > 0, np.where(seen, cells, 0).sum(1) / np.maximum(count, 1), np.nan)
'''

ARRAY_DATA = '''
def _features(X):
    """X (n, *SHAPE) as scaled float32 features, and which are missing."""
    values = np.asarray(X, dtype=np.float64)
    values = values.reshape(len(values), -1)
    if values.shape[1] != len(CENTRE):
        raise ValueError(f"X must have {len(CENTRE)} numbers in a row; got {values.shape[1]}.")
    if np.isinf(values).any():
        raise ValueError("X must be finite; got an infinite value. Use NaN for what is missing.")
    missing = np.isnan(values)
    return np.where(missing, 0.0, _scaled(values)).astype(np.float32), missing


def _data(x_hat):
    """Features as (n, *SHAPE) of the fitted dtype."""
    values = _unscaled(x_hat)
    if DTYPE.kind == "b":
        values = values > 0.5
    elif DTYPE.kind in "iu":
        values = _whole(values, DTYPE)
    return values.astype(DTYPE).reshape(len(values), *SHAPE)
'''

TABLE_DATA = '''
def _features(X):
    """A dict or frame of columns, or a matrix in the order of NAMES, as float32 features; which are missing."""
    given = _columns(X)
    n = len(given[0])
    x, missing = np.zeros((n, WIDTH), np.float32), np.zeros((n, len(NAMES)), bool)
    numeric = [j for j, column in enumerate(COLUMNS) if column[0] not in ("truth", "levels", "text")]
    if numeric:
        values = np.column_stack([_numbers(given[j], COLUMNS[j][0]) for j in numeric])
        if np.isinf(values).any():
            raise ValueError("X must be finite; got an infinite value. Use NaN for what is missing.")
        missing[:, numeric] = np.isnan(values)
        x[:, [COLUMNS[j][1] for j in numeric]] = np.where(np.isnan(values), 0.0, _scaled(values))
    for j, (kind, start, stop, details) in enumerate(COLUMNS):
        if kind == "truth":
            x[:, start] = [0 if _is_missing(v) else 1 if v not in (False, "False", "false", "0", "no") else -1 for v in given[j]]
        elif kind in ("levels", "text"):
            for row, level in enumerate(_places(given[j], *details)):
                if level >= 0:
                    x[row, start + level] = 1
        if kind in ("truth", "levels", "text"):
            missing[:, j] = ~x[:, start:stop].any(1)
    return x, missing


def _columns(X):
    """The columns of X in the order of NAMES."""
    if hasattr(X, "keys") or hasattr(X, "columns"):
        lacking = [name for name in NAMES if name not in (X if hasattr(X, "keys") else X.columns)]
        if lacking:
            raise ValueError(f"X must have the columns it was fitted on; got none called {lacking[0]!r}.")
        return [np.asarray(X[name]) for name in NAMES]
    X = np.asarray(X)
    if X.ndim != 2 or X.shape[1] != len(NAMES):
        raise ValueError(f"X must be columns by name, or have shape (n, {len(NAMES)}); got {X.shape}.")
    return list(X.T)


def _is_missing(value):
    return value is None or str(value) in ("", "nan", "<NA>", "NaT")


def _numbers(column, kind):
    """A column as float64 with NaN; moments and spans as microseconds."""
    if kind in ("datetime64", "timedelta64"):
        if column.dtype.kind not in "mMf":
            column = np.array([None if _is_missing(v) else v for v in column], dtype=kind + "[us]")
        if column.dtype.kind in "mM":
            gone = np.isnat(column)
            return np.where(gone, np.nan, column.astype(kind + "[us]").astype(np.int64).astype(float))
    if column.dtype.kind not in "biuf":
        column = [np.nan if _is_missing(v) else float(v) for v in column]
    return np.asarray(column, dtype=np.float64)


def _places(column, levels, others):
    """The number of every value's level; one never met goes to the others, or counts as missing."""
    known = {level: j for j, level in enumerate(levels)}
    elsewhere = len(levels) if others else -1
    if levels and not isinstance(levels[0], str):
        column = _numbers(column, "number").tolist()
    return [known[v] if v in known else -1 if _is_missing(v) else elsewhere for v in column]


def _data(x_hat):
    """Features as a dict of columns."""
    numeric = [column for column in COLUMNS if column[0] not in ("truth", "levels", "text")]
    values = iter(_unscaled(x_hat[:, [column[1] for column in numeric]]).T)
    made = {}
    for name, (kind, start, stop, details) in zip(NAMES, COLUMNS):
        if kind == "truth":
            made[name] = x_hat[:, start] > 0
        elif kind in ("levels", "text"):
            named = [*details[0], "" if kind == "text" else float("nan")]
            made[name] = np.array([named[j] for j in x_hat[:, start:stop].argmax(1)])
        else:
            made[name] = _finished(next(values), kind, details)
    return made


def _finished(values, kind, details):
    """Numbers rounded, and moments as moments, where the column held such."""
    if kind == "number":
        return values
    if kind == "whole":
        values = _whole(values, np.dtype(details))
        return values if np.isnan(values).any() else values.astype(details)
    gone, step = np.isnan(values), details or 1
    whole = np.clip(np.where(gone, 0, np.rint(values / step) * step), -9.2e18, 9.2e18)
    moments = whole.astype(np.int64).astype(kind + "[us]")
    moments[gone] = np.array("NaT", dtype=kind + "[us]")
    return moments
'''

SCALES = '''
def _scaled(values):
    """(n, m) float64 in the data's units -> scaled; NaN stays NaN."""
    return np.clip((_squeezed(values) - CENTRE) / SCALE, -1e9, 1e9)


def _unscaled(scaled):
    """(n, m) scaled -> float64 in the data's units."""
    values = _unsqueezed(scaled.astype(np.float64) * SCALE + CENTRE)
    if EMPTY:
        values[:, EMPTY] = np.nan
    return values


def _whole(values, dtype):
    """Rounded and cut to what the dtype holds, still float64."""
    bounds = np.iinfo(dtype)
    top = float(bounds.max)
    return np.clip(np.rint(values), float(bounds.min), top if int(top) <= bounds.max else np.nextafter(top, 0))
'''

PLAIN = """
def _squeezed(values):
    return values


def _unsqueezed(values):
    return values
"""

SQUEEZED = '''
def _squeezed(values):
    """Heavy-tailed columns through asinh."""
    values = values.copy()
    values[:, SQUEEZED] = np.arcsinh((values[:, SQUEEZED] - MEDIAN) / SPREAD)
    return values


def _unsqueezed(values):
    """And back."""
    values[:, SQUEEZED] = np.sinh(np.clip(values[:, SQUEEZED], -CAP, CAP)) * SPREAD + MEDIAN
    return values
'''

NETWORK = '''
def _run(chain, activation, x):
    """Dense layers with an activation between each two, a linear road beside them, and marks for gaps."""
    layers, road, gaps = chain
    weight, bias = layers[0]
    a = x @ weight + bias
    if gaps is not None:
        a += (x == 0).astype(np.float32) @ gaps
    for weight, bias in layers[1:]:
        a = activation(a) @ weight + bias
    return a if road is None else a + x @ road


def _sigmoid(a):
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def _array(shape, text):
    """Weights from base64 of little-endian float32."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4").reshape(shape).astype(np.float32)
'''

CODE = '''
def _encoder_activation(a):
    return {encoder}


def _decoder_activation(a):
    return {decoder}


def _code(a):
    """The activation at the bottleneck."""
{code}
'''

ACTIVATIONS = {
    "ReLU": "np.maximum(a, 0)",
    "SiLU": "a * _sigmoid(a)",
    "Sigmoid": "_sigmoid(a)",
    "Tanh": "np.tanh(a)",
}

TOP_K = """
a = np.maximum(a, 0)
top = np.argpartition(a, a.shape[1] - {k}, axis=1)[:, a.shape[1] - {k} :]
z = np.zeros_like(a)
np.put_along_axis(z, top, np.take_along_axis(a, top, axis=1), axis=1)
return z
"""

LOSS = '''
def _link(o):
    """The network's output as a reconstruction."""
{link}


def _errors(x, o):
    """The errors of features x (n, d) for the network's output o."""
{errors}
'''

LOSSES = {
    "SquaredError": ("return o", "return np.square(x - o)"),
    "BoundedSquaredError": (
        "return np.clip(o, 0, 1)",
        "inside = np.clip(o, 0, 1)\nwrong = inside - x\nreturn wrong * (wrong + 2 * (o - inside))",
    ),
    "Huber": (
        "return o",
        "r = np.abs(x - o)\nreturn np.where(r <= DELTA, r * r, 2 * DELTA * r - DELTA**2).astype(np.float32)",
    ),
    "BinaryCrossEntropy": (
        "return _sigmoid(o)",
        """
        crossed = np.maximum(o, 0) - x * o + np.log1p(np.exp(-np.abs(o)))
        inside = np.clip(x, 0, 1)
        entropy = sum(-p * np.log(np.where(p > 0, p, 1)) for p in (inside, 1 - inside))
        return crossed - entropy
        """,
    ),
    "Deviance": (
        """
        x_hat = o.copy()
        for kind, start, stop, _ in COLUMNS:
            if kind == "truth":
                x_hat[:, start] = np.tanh(o[:, start] / 2)
            elif kind in ("levels", "text"):
                grown = np.exp(o[:, start:stop] - o[:, start:stop].max(1, keepdims=True))
                x_hat[:, start:stop] = grown / grown.sum(1, keepdims=True)
        return x_hat
        """,
        """
        cells = np.empty((len(x), len(COLUMNS)), np.float32)
        for j, (kind, start, stop, _) in enumerate(COLUMNS):
            if kind == "truth":
                cells[:, j] = 2 * np.logaddexp(0, -x[:, start] * o[:, start])
            elif kind in ("levels", "text"):
                most = o[:, start:stop].max(1)
                total = most + np.log(np.exp(o[:, start:stop] - most[:, None]).sum(1))
                cells[:, j] = 2 * (total - (x[:, start:stop] * o[:, start:stop]).sum(1))
            else:
                cells[:, j] = np.square(x[:, start] - o[:, start])
        return cells
        """,
    ),
}

NOT_SUMMED = """
def _summed(cells):
    return cells
"""

SUMMED = '''
def _summed(features):
    """The features' errors summed within each column: (n, columns)."""
    return np.column_stack([features[:, start:stop].sum(1) for _, start, stop, _ in COLUMNS])
'''

MAIN = '''
def _main():
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: python {sys.argv[0]} rows.csv")
    try:
        values = score(_read(sys.argv[1]))
    except OSError as error:
        raise SystemExit(f"{sys.argv[1]} cannot be read: {error.strerror}. Check the path.") from None
    for value in values:
        print(value)


def _lines(path):
    """The cells of a .csv cut at semicolons or tabs, so that 3,14 is a number, or else at commas."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        sign = next((sign for sign in ";\\t" if sign in first), ",")
        file.seek(0)
        lines = [line for line in csv.reader(file, delimiter=sign) if line]
    return lines if sign == "," else [[_pointed(cell) for cell in line] for line in lines]


def _pointed(cell):
    """3,14 as 3.14, other text as it is."""
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return cell
    return cell.replace(",", ".")
'''

ARRAY_MAIN = '''
def _read(path):
    """Rows from a .npy file, or from a .csv of numbers with or without a line of names."""
    if path.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    lines = _lines(path)
    try:
        [float(cell or "nan") for cell in lines[0]]
    except ValueError:
        lines = lines[1:]
    return np.array([[float(cell or "nan") for cell in line] for line in lines])
'''

TABLE_MAIN = '''
def _read(path):
    """The columns of a .csv by the names in its first line."""
    lines = _lines(path)
    names = {str(name): name for name in NAMES}
    return {names.get(name, name): [line[j] for line in lines[1:]] for j, name in enumerate(lines[0])}
'''

TAIL = """
if __name__ == "__main__":
    _main()
"""
