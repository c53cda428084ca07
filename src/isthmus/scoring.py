"""Scoring on many processes: one callable that any distributed engine can send to its workers.

isthmus has no scheduler of its own. Ray Data, Spark and Dask cut a table into batches, carry the batches to
processes on many machines and put the results together; all they ask for is a function from one batch to
another. A `Scorer` is that function for one saved model:

    Ray      ray.data.read_parquet(url).map_batches(scorer, batch_format="pandas").write_parquet(out)
    Dask     dask.dataframe.read_parquet(url).map_partitions(scorer, meta=...).to_parquet(out)
    Spark    spark.read.parquet(url).mapInPandas(lambda batches: map(scorer, batches), schema)
    none     write(open_source(path).map(scorer), out)

What travels is the model's path and the digest of its file; every process reads the file itself, once, and
refuses one that has changed. A process scores on one thread: the engine fills the cores with processes.
Engines do not promise the order of rows, so a column that tells rows apart is carried along by `keep`.

>>> import numpy as np, pandas as pd, pathlib, tempfile
>>> from isthmus import Autoencoder, Scorer, save
>>> df = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=list("abcd"))
>>> path = pathlib.Path(tempfile.mkdtemp()) / "m.isthmus"
>>> save(Autoencoder(2, random_state=0).fit(df), path)
>>> scorer = Scorer(path, "scores", keep=["id"])
>>> scorer(df.assign(id=range(60))).columns.tolist()
['id', 'score']
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.autoencoder import Autoencoder
from isthmus.checks import FileError, must, need
from isthmus.inputs.frames import is_frame
from isthmus.parts import Record
from isthmus.saving import load_autoencoder
from isthmus.training.threads import one_thread

__all__ = ["Scorer"]

WHAT = ("codes", "errors", "reconstruction", "scores")


class Scorer:
    """A saved model as a function of one batch, small enough to be sent anywhere.

    Parameters
    ----------
    model : path
        A file that `save` wrote, at a place every worker can read under the same path.
    what : str
        "codes": z (n, n_components). "errors": every cell's error (n, columns), in the loss's units, NaN
        where the cell is missing. "reconstruction": x_hat (n, columns). "scores": the mean error over a row's
        observed cells (n, 1), NaN where it has none; higher is stranger.
    keep : names
        Columns of the batch that the model does not know, put unchanged before the results.
    parts : classes
        Classes of your own that the model was made with, as for `load`.

    Raises FileError for a file that is missing, damaged, or not the one the Scorer was made of; DataError for
    other arguments, and for batches that do not have the model's columns.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        what: str = "codes",
        *,
        keep: Iterable[str] = (),
        parts: Iterable[type[Record]] = (),
    ) -> None:
        need(what in WHAT, "what", f"be one of {', '.join(WHAT)}", what, 'Use Scorer(path, "codes")')
        need(not isinstance(keep, str), "keep", "be a list of names", keep, f"Use keep=[{keep!r}]")
        self.path, self.what, self.keep, self.parts = Path(model).absolute(), what, tuple(keep), tuple(parts)
        self.digest = _digest(self.path)
        taken = (*self.model.schema_.names, *self.columns)  # loads the model: what is wrong is said here
        both = [name for name in self.keep if name in taken]
        if both:
            raise must("keep", "name columns the model neither reads nor makes", both[0], "Leave it out")

    def __repr__(self) -> str:
        return f"Scorer({str(self.path)!r}, {self.what!r})"

    @property
    def model(self) -> Autoencoder:
        """The model; read from the file when a process first asks for it."""
        return _loaded(self.path, self.digest, self.parts)

    @property
    def columns(self) -> list[str]:
        """Names of the columns made, those of `keep` apart."""
        if self.what == "scores":
            return ["score"]
        if self.what == "codes":
            return [str(name) for name in self.model.get_feature_names_out()]
        return [str(name) for name in self.model.schema_.names]

    def __call__(self, batch: Any) -> Any:
        """Results for the rows of a batch, in order: a DataFrame for a DataFrame, an array for an array.

        A batch without rows, which engines use to learn the columns, gives results without rows.
        """
        if isinstance(batch, dict):
            do = 'Use map_batches(scorer, batch_format="pandas")'
            raise must("a batch", "be a DataFrame or an array", "a dict of columns", do)
        if not is_frame(batch):
            need(not self.keep, "a batch", "be a DataFrame to keep columns of", batch, "Leave keep out")
            return self._results(batch)
        rows = batch[[name for name in batch.columns if name not in self.keep]]
        results = self._results(rows if self.model.schema_.named else rows.to_numpy())
        if not is_frame(results):
            flat = results.reshape(len(batch), len(self.columns))
            results = _frame(batch, {name: flat[:, j] for j, name in enumerate(self.columns)})
        kept = {name: batch[name] for name in self.keep}
        return _frame(batch, kept | {name: results[name] for name in results.columns}) if kept else results

    def _results(self, rows: Any) -> Any:
        model = self.model
        if len(rows) == 0 and not model.schema_.named:
            return np.empty((0, len(self.columns)), np.float32)
        with one_thread():
            if self.what == "reconstruction":
                return model.reconstruct(rows)
            if self.what == "codes":
                return model.transform_plain(rows)
            errors = model.errors(rows)
        return errors if self.what == "errors" else _row_means(np.asarray(errors))


def _digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise FileError(
            f"{path} cannot be read: {error.strerror}. Put it where every worker sees it."
        ) from None


@lru_cache(maxsize=8)
def _loaded(path: Path, digest: str, parts: tuple[type[Record], ...]) -> Autoencoder:
    """The model in a file, once a process."""
    if _digest(path) != digest:
        raise FileError(f"{path} must stay as it was when the Scorer was made; it has changed. Make another.")
    return load_autoencoder(path, parts)


def _row_means(errors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over the observed cells of every row: (n, 1), NaN where there are none."""
    seen = np.count_nonzero(~np.isnan(errors), axis=1)
    means = np.nansum(errors, axis=1, dtype=np.float64) / np.where(seen, seen, np.nan)
    return means.astype(np.float32)[:, None]


def _frame(like: Any, columns: dict[str, Any]) -> Any:
    """A frame of the library and with the index of another."""
    frame = type(like)(columns)
    if hasattr(frame, "index"):
        frame.index = like.index
    return frame
