"""Parts: the theory's nouns as frozen values.

A part is a function with its hyperparameters filled in: `L1(weight=0.1)`, `GaussianNoise(0.3)`, `MLP((256,
64))`. It never holds learned numbers, so it can be shared, compared, used as a default argument and written
into a file. Subclassing `Part` makes a frozen dataclass; no decorator is needed.

>>> class Shift(Part):
...     by: float = 1.0
...
...     def __call__(self, x):
...         return x + self.by
>>> Shift(2.0)(1.0), Shift(), Shift(2.0)
(3.0, Shift(), Shift(by=2.0))
>>> Shift(2.0).get_params()
{'by': 2.0}

More words that every floor shares live here: `Cell` and `Layout` (what the columns of a network's input
mean) and `Trace` (one pass through a network).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, dataclass_transform

from isthmus.checks import DataError, brief, must

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["Cell", "Layout", "Part", "Record", "Trace", "changed", "deepened", "pack", "same", "unpack"]


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Record:
    """A frozen dataclass that can be written as JSON by `pack` and read back by `unpack`."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        dataclasses.dataclass(frozen=True, repr=False)(cls)

    @classmethod
    def _fields(cls) -> tuple[str, ...]:
        return tuple(f.name for f in dataclasses.fields(cls) if f.init)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        shown = (
            f"{f.name}={getattr(self, f.name)!r}"
            for f in dataclasses.fields(self)  # type: ignore[arg-type]
            if f.default is dataclasses.MISSING or not same(getattr(self, f.name), f.default)
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def same(a: object, b: object) -> bool:
    """Whether two hyperparameters are one value of one type."""
    return a is b or (type(a) is type(b) and bool(a == b))


class Part(Record):
    """A function with its hyperparameters filled in; speaks scikit-learn's `get_params` and `clone`."""

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The hyperparameters by name; with `deep`, those of parts inside this one as `name__inner`."""
        shallow = self._children()
        return deepened(shallow) if deep else shallow

    def _children(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._fields()}

    def _replaced(self, children: dict[str, Any]) -> Part:
        return dataclasses.replace(self, **children)

    def with_params(self, **changes: Any) -> Any:
        """A copy with some hyperparameters changed, addressed as scikit-learn does (`l1__weight=0.1`)."""
        return self._replaced(changed(type(self).__name__, self._children(), changes))

    def __sklearn_clone__(self) -> Self:
        return self


def deepened(shallow: dict[str, Any]) -> dict[str, Any]:
    """`shallow` and the parameters of the parts and estimators in it, as `name__inner`."""
    deep = dict(shallow)
    for name, value in shallow.items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            deep.update({f"{name}__{key}": inner for key, inner in value.get_params().items()})
    return deep


def changed(owner: str, children: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`children` after `changes`, whose keys may reach inside by `name__inner`: a part is replaced by a
    changed copy, an estimator is changed in place, as scikit-learn does.
    """
    direct = {key: value for key, value in changes.items() if "__" not in key}
    _refuse_unknown(owner, children, direct)
    updated = {**children, **direct}
    nested: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        if key not in direct:
            name, _, inner = key.partition("__")
            nested.setdefault(name, {})[inner] = value
    _refuse_unknown(owner, children, nested)
    for name, inner_changes in nested.items():
        updated[name] = _reached(f"{owner}.{name}", updated[name], inner_changes)
    return updated


def _reached(what: str, value: Any, changes: dict[str, Any]) -> Any:
    if isinstance(value, Part):
        return value.with_params(**changes)
    if hasattr(value, "set_params") and not isinstance(value, type):
        return value.set_params(**changes)
    raise must(what, "be a part to reach into it", value, f"Set {what.split('.')[-1]} first")


def _refuse_unknown(owner: str, known: dict[str, Any], wanted: dict[str, Any]) -> None:
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise must(f"a parameter of {owner}", f"be one of {sorted(known)}", unknown[0], "Check its spelling")


# ---------------------------------------------------------------- what the columns of a network's input mean

Kind = Literal["numeric", "binary", "categorical"]


class Cell(Record):
    """One column of one row as the network sees it: features `start:stop` of x.

    `numeric` is one feature in units of its scale, `binary` one feature in {-1, +1}, `categorical` a
    one-hot group. In every kind 0 (for a group: all zeros) means "not observed".
    """

    name: str | int
    kind: Kind
    start: int
    stop: int

    @property
    def width(self) -> int:
        """Number of features."""
        return self.stop - self.start


class Layout(Record):
    """The cells of x in order, and the shape of one sample when it is a picture or a signal.

    `shape` is () for tables, (h, w) or (h, w, c) for pictures, (channels, time) for signals; its product is
    `width`. `positive` says that every value lies in [0, 1] (what binary cross-entropy needs), `gaps` that
    some were missing, `signal` that `shape` is a signal's.
    """

    cells: tuple[Cell, ...]
    shape: tuple[int, ...] = ()
    positive: bool = False
    gaps: bool = False
    signal: bool = False

    @property
    def width(self) -> int:
        """Number of features of x."""
        return self.cells[-1].stop if self.cells else 0

    @cached_property
    def names(self) -> list[str | int]:
        """The columns' names."""
        return [cell.name for cell in self.cells]

    @cached_property
    def all_numeric(self) -> bool:
        """Whether every cell is one number, so that cells and features are the same thing."""
        return all(cell.kind == "numeric" for cell in self.cells)

    def spread(self, observed: Any) -> Any:
        """Which cells (n, cells) were observed, for the features of each: (n, d); (1, d) of True for None."""
        import numpy as np

        if observed is None:
            return np.ones((1, self.width), dtype=bool)
        return np.repeat(observed, [cell.width for cell in self.cells], axis=1)

    @classmethod
    def numeric(
        cls,
        width: int,
        shape: tuple[int, ...] = (),
        positive: bool = False,
        gaps: bool = False,
        signal: bool = False,
    ) -> Layout:
        """A layout of `width` numbers."""
        return cls(tuple(Cell(j, "numeric", j, j + 1) for j in range(width)), shape, positive, gaps, signal)


@dataclasses.dataclass
class Trace:
    """One pass of a batch through a network: what a penalty may read.

    x: the clean rows, (n, d). x_tilde: what the encoder saw, (n, d). a: the encoder's output before the
    code's activation, (n, k). z: the code, (n, k). output: what the decoder gave, (n, d), before the loss's
    link.
    """

    x: Tensor
    x_tilde: Tensor
    a: Tensor
    z: Tensor
    output: Tensor
    hidden: dict[str, Tensor]
    tapes: tuple[Any, Any]
    network: Any
    layout: Layout
    generator: Generator


# ---------------------------------------------------------------- values as JSON and back

_TAG = "is"


def pack(value: Any) -> Any:
    """A value made of records, tuples, dicts and plain scalars as JSON can hold it; anything else is
    refused.
    """
    if isinstance(value, Record):
        fields = {name: pack(getattr(value, name)) for name in value._fields()}
        return {_TAG: type(value).__name__, **fields}
    if isinstance(value, float) and not math.isfinite(value):
        return {_TAG: "float", "text": repr(float(value))}
    if isinstance(value, (list, tuple)):
        return [pack(item) for item in value]
    if isinstance(value, dict):
        return {_TAG: "dict", "items": [[pack(k), pack(v)] for k, v in value.items()]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return pack(value.item())
    raise must(
        "a saved hyperparameter", "be a part, number, string, tuple or dict", value, "Wrap it in a Part"
    )


class _Unpacker:
    """Reads what `pack` wrote; builds only the record types it was given."""

    deepest: ClassVar[int] = 40

    def __init__(self, known: Mapping[str, type[Record]]) -> None:
        self.known = known

    def __call__(self, value: Any, depth: int = 0) -> Any:
        if depth > self.deepest:
            raise DataError("a saved value must not be nested deeper than 40 levels.")
        if isinstance(value, list):
            return tuple(self(item, depth + 1) for item in value)
        if not isinstance(value, dict):
            return value
        tag = value.get(_TAG)
        if tag == "float":
            return float(str(value.get("text")))
        if tag == "dict":
            return {self(k, depth + 1): self(v, depth + 1) for k, v in value.get("items", [])}
        return self._record(tag, {k: self(v, depth + 1) for k, v in value.items() if k != _TAG})

    def _record(self, tag: object, fields: dict[str, Any]) -> Record:
        if not isinstance(tag, str) or tag not in self.known:
            raise must(
                "a saved part", "be of a known type", tag, f"Use load(path, parts=[{brief(str(tag), 40)}])"
            )
        cls = self.known[tag]
        _refuse_unknown(tag, dict.fromkeys(cls._fields()), fields)
        return cls(**fields)


def unpack(value: Any, known: Mapping[str, type[Record]]) -> Any:
    """The inverse of `pack`: lists come back as tuples, records only when their type's name is in `known`."""
    return _Unpacker(known)(value)
