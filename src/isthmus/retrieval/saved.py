"""Retrievers in their stores: made whole or not at all, opened again with every file distrusted.

A store is a folder: `rows.sqlite` holds codes, rows, metadata, and `retriever.isthmus` the model and what was
learned to compare codes, as safetensors and JSON. A model that could only be pickled is not kept, see
`isthmus.retrieval.kept`, and is handed to `open`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.checks import DataError, FileError, brief, must
from isthmus.parts import pack, unpack
from isthmus.retrieval import index as indexes
from isthmus.retrieval import metric as metrics
from isthmus.retrieval import rows as keepers
from isthmus.retrieval import space as spaces
from isthmus.retrieval.cache import CachedHeld
from isthmus.retrieval.coder import coder_of, is_fitted
from isthmus.retrieval.kept import keep, kept_again
from isthmus.retrieval.store import SqliteStore, Store
from isthmus.saving import known_parts
from isthmus.sealed import part_of, read_sealed, write_sealed

__all__ = ["created", "is_store", "opened"]

FORMAT = 1
ROWS, MODEL = "rows.sqlite", "retriever.isthmus"
PARAMS = ("metric", "smoothing", "bits", "index")


def known() -> dict[str, Any]:
    """Record types of this package that may stand in a store."""
    found: dict[str, Any] = {}
    for module in (metrics, spaces, indexes, keepers):
        found |= {
            name: getattr(module, name) for name in module.__all__ if isinstance(getattr(module, name), type)
        }
    return {name: kind for name, kind in found.items() if hasattr(kind, "_fields")}


def is_store(place: Path) -> bool:
    """Whether a folder holds the rows of a store."""
    return (place / ROWS).is_file()


def is_database(store: Any) -> bool:
    """Whether a store is a PostgreSQL database."""
    return isinstance(store, str) and store.startswith(("postgresql://", "postgres://"))


# ---------------------------------------------------------------- making


@contextlib.contextmanager
def created(
    retriever: Any, model: Any, coder: Any, space: Any, keeper: Any, facts: Sequence[Any]
) -> Iterator[Store]:
    """A new store to fill; when the block ends it is the retriever's, and stands where it was asked for."""
    width, place = space.width, retriever.store
    if is_database(place):
        from isthmus.retrieval.postgres import PostgresStore

        store: Any = PostgresStore(place, retriever.index)
        try:
            with store.making():
                store.create(facts, width, space.packed)
                store.keep_model(_sealed_bytes(retriever, model, coder, space, keeper))
                yield store
            store.prepare()
        except BaseException:
            store.close()
            raise
        retriever._ready(model, coder, space, keeper, store)
        return
    if place is None:
        store = SqliteStore(None, indexes.Held(retriever._index))
        store.create(facts, width, space.packed)
        yield store
        store.vectors()
        retriever._ready(model, coder, space, keeper, store)
        return
    target = Path(place)
    _refuse_taken(target)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", suffix=".part") as folder:
        made = Path(folder) / "store"
        made.mkdir()
        _write_sealed(made / MODEL, retriever, model, coder, space, keeper)
        store = SqliteStore(made / ROWS, indexes.Held(indexes.Exact()))
        store.create(facts, width, space.packed)
        try:
            yield store
        finally:
            store.close()
        _settle(made, target)
    store = _file_store(target, retriever._index)
    store.vectors()
    retriever._ready(model, coder, space, keeper, store)


def _refuse_taken(target: Path) -> None:
    if not target.parent.is_dir():
        raise FileError(f"the folder above {target} must exist; got none. Create it first.")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        there = is_store(target)
        got = "a store" if there else "a folder that is not empty" if target.is_dir() else "a file"
        do = "Search it, or choose another name" if there else "Choose another name"
        raise FileError(f"{target} must be a new folder; got {got}. {do}.")


def _settle(made: Path, target: Path) -> None:
    try:
        made.replace(target)
        handle = os.open(target.parent, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    except OSError as error:
        raise FileError(
            f"{target} cannot be written: {error.strerror or error}. Choose another place."
        ) from None


def _write_sealed(path: Path, retriever: Any, model: Any, coder: Any, space: Any, keeper: Any) -> None:
    tensors = {f"space.{name}": np.ascontiguousarray(value) for name, value in space.state.items()}
    kept = keep(model, "network.")
    if kept is not None:
        tensors |= kept[1]
    scales = getattr(coder, "scales", None)
    if scales is not None:
        tensors |= {"centre": np.asarray(scales[0]), "spread": np.asarray(scales[1])}
    header = {
        "format": FORMAT,
        "kind": "Retriever",
        "params": {name: pack(getattr(retriever, name)) for name in PARAMS},
        "space": {"metric": pack(space.metric), "binary": space.binary},
        "keeper": pack(keeper),
        "model": None if kept is None else kept[0],
        "model_type": type(model).__name__,
        "facts": getattr(retriever, "facts_", {}),
    }
    write_sealed(path, tensors, header)


def _sealed_bytes(*what: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL
        _write_sealed(path, *what)
        return path.read_bytes()


# ---------------------------------------------------------------- opening


def opened(cls: Any, place: Any, model: Any, parts: Sequence[Any]) -> Any:
    """The retriever of a store."""
    if is_database(place):
        from isthmus.retrieval.postgres import PostgresStore

        store: Store = PostgresStore(place, None)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / MODEL
            path.write_bytes(store.model())  # type: ignore[attr-defined]
            return _restored(cls, place, path, lambda _: store, model, parts)
    target = Path(place)
    if not is_store(target) or not (target / MODEL).is_file():
        got = "another folder" if target.is_dir() else "a file" if target.exists() else "nothing there"
        do = f"Make one with `isthmus index` or with Retriever(store={str(place)!r}).fit"
        raise FileError(f"{target} must be a store; got {got}. {do}.")
    return _restored(cls, place, target / MODEL, lambda index: _filled_store(target, index), model, parts)


def _filled_store(target: Path, index: Any) -> SqliteStore:
    store = _file_store(target, index)
    if not hasattr(store, "width"):
        raise FileError(f"{target / ROWS} must hold the rows of a store; got none. Index the data again.")
    return store


def _file_store(target: Path, index: Any) -> SqliteStore:
    return SqliteStore(target / ROWS, CachedHeld(index, target / "cache"))


def _restored(cls: Any, place: Any, path: Path, open_store: Any, model: Any, parts: Sequence[Any]) -> Any:
    header, tensors = read_sealed(path, "Retriever")
    if header.get("format") != FORMAT:
        raise FileError(
            f"{place} has format {brief(repr(header.get('format')), 20)}, not {FORMAT}. Update isthmus."
        )
    if model is not None and not hasattr(model, "transform"):
        raise must("model", f"be the one of {place}", type(model).__name__, "Pass that one")
    types = known_parts(known() | {part.__name__: part for part in parts})
    try:
        params = {name: unpack(header["params"][name], types) for name in PARAMS}
        retriever = cls(model, **params, store=place)
        retriever._check_parameters()
        if model is None and header["model"] is not None:
            model = kept_again(header["model"], part_of(tensors, "network."), types)
        keeper = unpack(header["keeper"], types)
        metric = unpack(header["space"]["metric"], types)
        state = part_of(tensors, "space.")
        binary = bool(header["space"]["binary"])
        space = spaces.Space(metric, retriever.smoothing, retriever.bits, binary, state)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{place} cannot be read: {brief(str(error))}. Index the data again.") from None
    if model is not None and not is_fitted(model):
        raise must("model", f"be the fitted one of {place}", "one that is not fitted", "Pass that one")
    if model is None:
        kind = brief(str(header["model_type"]), 40)
        raise DataError(f"model must be given, as a {kind} is not kept in a store; got none. Pass model=.")
    scales = (tensors["centre"], tensors["spread"]) if "centre" in tensors else None
    store = open_store(retriever._index)
    try:
        sample = keeper.restore(store, store.ids(most=1)) if len(store) else None
    except (ValueError, TypeError, KeyError):
        do = "Index the data again"
        raise FileError(f"the files of {place} must belong together; got those of several. {do}.") from None
    coder = coder_of(model, sample, scales)
    retriever.model, retriever.metric_, retriever.metric_errors_ = model, metric, {}
    retriever.facts_ = dict(header.get("facts", {}))
    retriever._ready(model, coder, space, keeper, store)
    _must_fit(retriever, sample, place)
    retriever._note(coder)
    return retriever


def _must_fit(retriever: Any, sample: Any, place: Any) -> None:
    """The model makes of a stored row the code that is stored."""
    if sample is None:
        return
    store = retriever.store_
    ids = store.ids(most=1)
    try:
        again = retriever._space_(retriever._coder.encode(sample))
        distances, _ = store.nearest(again, 1, None)
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise FileError(f"the model must fit {place}; got one that does not: {brief(str(error))}.") from None
    most = 2.0 if store.packed else 1e-3 * (1 + float(np.abs(again).max()))
    if not float(distances[0, 0]) <= most:
        raise FileError(
            f"the model must be the one of {place}; got one with other codes (row {ids[0]}). Pass it."
        )
