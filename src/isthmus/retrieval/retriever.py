"""The retriever: a model's codes turned into search.

A code keeps what a row has in common with others and drops what it has alone, so rows whose codes are near
are alike in what matters. Rows are found by example, by part of an example, under conditions on their
metadata, and what was found can be explained cell by cell.

>>> import numpy as np
>>> from sklearn.decomposition import PCA
>>> X = np.random.default_rng(0).normal(size=(200, 5)) @ np.random.default_rng(1).normal(size=(5, 8))
>>> retriever = Retriever(PCA(5)).fit(X, metadata={"price": range(200)})
>>> retriever.query(X[7], k=2)["row"].tolist()[0]
7
>>> bool((retriever.query(X[7], k=3, where="price < 5")["price"] < 5).all())
True
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import must, need
from isthmus.citizen import Estimator
from isthmus.inputs import Source, labels_of, rows_of
from isthmus.inputs.frames import is_frame
from isthmus.retrieval.agreement import agreement
from isthmus.retrieval.coder import Coder, coder_of
from isthmus.retrieval.facts import as_metadata, refuse_other_order
from isthmus.retrieval.groups import groups_within, usual_threshold
from isthmus.retrieval.index import Graph, Index, has_usearch
from isthmus.retrieval.learning import facts_of, learned_space, trained
from isthmus.retrieval.metric import Metric
from isthmus.retrieval.reading import (
    as_rows,
    blocks,
    count,
    drawn,
    gathered,
    lines_of,
    question,
    read_by,
    row_numbers,
)
from isthmus.retrieval.results import Results
from isthmus.retrieval.rows import is_texts, keeper_of
from isthmus.retrieval.space import ITQ, MeanShift, Space
from isthmus.retrieval.store import Ids, Store
from isthmus.retrieval.where import read_where
from isthmus.training import seed_from
from isthmus.wording import counted

__all__ = ["Retriever"]

CANDIDATES = 1_000  # nearest codes that a half-filled question is compared with, cell by cell
COMPARED = 2_000  # rows that say what is usual
PARTS = {  # the type of each, and one to try
    "metric": (Metric, "Cosine()"),
    "smoothing": (MeanShift, "MeanShift()"),
    "bits": (ITQ, "ITQ(32)"),
    "index": (Index, "Exact()"),
}


class Retriever(Estimator):
    """Finds rows that are like a row, and says why.

    Parameters
    ----------
    model : Autoencoder, or any transformer, or None
        What makes the codes: `Autoencoder(16)`, `PCA(16)`, a Pipeline; a fitted one is used as it is, another
        is cloned and trained by `fit`. None takes `default_model`.
    metric : Metric or None
        `Cosine()`, `Euclidean()` or `Standardised()`. None chooses the one whose neighbours rebuild rows best
        that were set aside.
    smoothing : MeanShift or None
        `MeanShift()` moves codes to where the training rows are dense: it finds more of the same kind and
        keeps less detail.
    bits : ITQ or None
        `ITQ(32)` makes 32 bits of each code; a model with a `BinaryCode` makes its own.
    index : Index or None
        `Exact()`, `Graph()`, `Prefix(8)`. None is exact, and from 200,000 rows on a graph where usearch is
        installed.
    store : path, URL or None
        A new folder to keep everything in; "postgresql://..." for a database with pgvector; None is memory.
        `Retriever.open(store)` opens it again.
    random_state : int, RandomState, Generator or None
        Seed of a model that is trained here, and of what is learned from a part of the rows.

    Attributes
    ----------
    model_ : the fitted model.
    store_ : Store
        Codes, rows and metadata.
    metric_ : Metric
        The one that is used.
    metric_errors_ : dict
        Where it was chosen: the error with which each metric's neighbours rebuild rows set aside.
    notes_ : list of str
        What was chosen, in sentences.

    References
    ----------
    Krizhevsky & Hinton (2011), Using very deep autoencoders for content-based image retrieval, ESANN.
    """

    model_: Any
    store_: Store
    facts_: dict[str, Any]

    def __init__(
        self,
        model: Any = None,
        *,
        metric: Metric | None = None,
        smoothing: MeanShift | None = None,
        bits: ITQ | None = None,
        index: Index | None = None,
        store: str | os.PathLike[str] | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.metric = metric
        self.smoothing = smoothing
        self.bits = bits
        self.index = index
        self.store = store
        self.random_state = random_state

    # ---------------------------------------------------------------- learning and filling

    def fit(self, X: Any, y: None = None, *, metadata: Any = None) -> Self:
        """Train the model unless it is fitted, learn how codes are compared, and store all rows of X.

        X: a DataFrame, an array (n, ...), a sparse matrix, a list of texts, a folder, a Source. metadata: a
        DataFrame or dict of columns with a line for each row, to filter by and to be shown.

        Raises DataError for what cannot be used; a store that is there already is not touched.
        """
        from isthmus.retrieval.saved import created

        self._check_parameters()
        X = as_rows(X)
        refuse_other_order(X, metadata)
        seed = int(seed_from(self.random_state))
        model = trained(self.model, X, seed)
        X = read_by(model, X)
        metadata = as_metadata(metadata, count(X), labels_of(X))
        first = X.read(0) if isinstance(X, Source) else X
        keeper, facts = keeper_of(first), facts_of(first, metadata)
        some = drawn(X, seed)
        coder = coder_of(model, some)
        parts = self.metric, self.smoothing, self.bits
        space, metric, errors = learned_space(coder, some, *parts, seed)
        with created(self, model, coder, space, keeper, facts) as store:
            self._fill(store, coder, space, keeper, X, metadata)
        self.metric_, self.metric_errors_ = metric, errors
        self._note(coder)
        return self

    def _fill(self, store: Store, coder: Coder, space: Space, keeper: Any, X: Any, metadata: Any) -> Ids:
        """Store rows block by block; their numbers."""
        start, numbers = 0, [np.empty(0, np.int64)]
        for block in blocks(X):
            stop = start + count(block)
            lines = None if metadata is None else rows_of(metadata, slice(start, stop))
            vectors = space(coder.encode(block))
            columns = lines_of(store, block, lines, keeper)
            numbers.append(store.add(vectors, keeper.bytes_of(block), columns))
            start = stop
        return np.concatenate(numbers)

    def add(self, X: Any, metadata: Any = None) -> Ids:
        """Store more rows, all of them or, of a Source, block by block; their numbers (n,)."""
        self.must_be_fitted()
        X = read_by(self.model_, as_rows(X))
        refuse_other_order(X, metadata)
        self._refuse_lacking(X)
        metadata = as_metadata(metadata, count(X), labels_of(X))
        if isinstance(X, Source):
            return self._fill(self.store_, self._coder, self._space_, self._keeper, X, metadata)
        vectors = np.concatenate([self._space_(self._coder.encode(block)) for block in blocks(X)])
        columns = lines_of(self.store_, X, metadata, self._keeper)
        return self.store_.add(vectors, self._keeper.bytes_of(X), columns)

    def update(self, rows: Any, X: Any = None, metadata: Any = None) -> None:
        """Replace rows of these numbers, or their metadata, or both; columns not given stay."""
        self.must_be_fitted()
        ids = row_numbers(rows)
        need(X is not None or metadata is not None, "update", "get X or metadata", "neither", "Pass one")
        metadata = as_metadata(metadata, len(ids))
        vectors = kept = block = None
        if X is not None:
            refuse_other_order(X, metadata)
            block = read_by(self.model_, as_rows(X))
            self._refuse_lacking(block)
            block = gathered(block) if isinstance(block, Source) else block
            need(
                count(block) == len(ids),
                "X",
                f"have {counted(len(ids), 'row')}",
                count(block),
                "Pass one for each number",
            )
            vectors, kept = self._space_(self._coder.encode(block)), self._keeper.bytes_of(block)
        facts = self.store_.facts
        named = set() if metadata is None else set(metadata.columns)
        named |= set(block.columns) if block is not None and is_frame(block) else set()
        columns = lines_of(self.store_, block, metadata, self._keeper)
        new = {j: columns[j] for j, fact in enumerate(facts) if fact.name in named}
        self.store_.update(ids, vectors, kept, new)

    def delete(self, rows: Any = None, where: str | None = None) -> int:
        """Remove rows of these numbers, or those that satisfy a condition; how many it were."""
        self.must_be_fitted()
        need(
            (rows is None) != (where is None),
            "delete",
            "get rows or where",
            (rows, where),
            "Pass one of them",
        )
        ids = row_numbers(rows) if where is None else self.store_.ids(self._condition(where))
        if len(ids):
            self.store_.delete(ids)
        return len(ids)

    # ---------------------------------------------------------------- asking

    def kneighbors(self, X: Any, k: int = 10, where: str | None = None) -> tuple[NDArray[np.float32], Ids]:
        """Distances (n, k) and numbers (n, k) of the rows nearest by their codes; inf and -1 where there are
        fewer.
        """
        self.must_be_fitted()
        _check_k(k)
        condition = None if where is None else self._condition(where)
        asked, _ = self._asked(X)
        vectors = self._space_(self._coder.encode(asked))
        distances, ids = self.store_.nearest(vectors, int(k), condition)
        return self._space_.shown(distances), ids

    def query(self, X: Any, k: int = 10, where: str | None = None) -> Any:
        """The k rows most like each row of X, as a DataFrame: query, row, distance, metadata, columns.

        X: rows as they were fitted, one or more; a dict or a DataFrame with some of the columns; a path to a
        picture or a recording. where: a condition such as "price < 20 and label == 'shoe'", of which always k
        rows are found if there are so many.

        The distance is that of the codes. A row that is only partly filled is compared by what it shows: of
        the rows with the nearest codes, the distance is then the root mean square difference of the cells it
        has, in units of their spread, a category counting 1.
        """
        self.must_be_fitted()
        _check_k(k)
        asked, partial = self._asked(X)
        condition = None if where is None else self._condition(where)
        vectors = self._space_(self._coder.encode(asked))
        with self.store_.looking():
            many = int(k) if not partial.any() else max(int(k), CANDIDATES)
            distances, ids = self.store_.nearest(vectors, many, condition)
            distances = self._space_.shown(distances)
            for i in np.flatnonzero(partial):
                distances[i], ids[i] = self._by_cells(rows_of(asked, [i]), ids[i])
            return self._results.table(distances[:, :k], ids[:, :k])

    def compared_by(self, X: Any) -> str:
        """What the distances are that `query` gives for X, in a few words."""
        self.must_be_fitted()
        partial = self._asked(X)[1]
        cells = "root mean square difference of the cells asked, in units of their spread"
        if partial.all():
            return cells
        return f"{self.distance_}; of rows with gaps {cells}" if partial.any() else self.distance_

    def like(self, row: int, k: int = 10, where: str | None = None) -> Any:
        """The k rows most like a stored one, itself left out; as `query`."""
        _check_k(k)
        found = self.query(self.rows([row]), k + 1, where)
        return self._results.without(found, row, k)

    def why(self, X: Any, row: int) -> Any:
        """In what a row of X and the stored row are alike: a DataFrame, what agrees most first.

        Tables: column, query, found, agreement - both values in the column's own units, and the share of the
        stored rows that differ more from X in this column. Pictures and signals: place, share - the regions
        where they differ less than others do, and their share of what they have in common. Sparse rows:
        column and share of the product.
        """
        self.must_be_fitted()
        asked = self._asked(X)[0]
        need(count(asked) == 1, "X", "be one row", count(asked), "Use X[:1]")
        with self.store_.looking():
            number = row_numbers(row)
            self.store_.refuse_unknown(number, self.store_.known(number))
            found, others = self._keeper.restore(self.store_, number), self._others()
        return agreement(self._coder, asked, found, others)

    def rows(self, rows: Any = None, where: str | None = None) -> Any:
        """Stored rows as data of the kind that was fitted, by number or by a condition; all if neither."""
        self.must_be_fitted()
        with self.store_.looking():
            wanted = None if where is None else self._condition(where)
            ids = self.store_.ids(wanted) if rows is None else row_numbers(rows)
            if rows is not None:
                self.store_.refuse_unknown(np.unique(ids), self.store_.known(ids))
            return self._keeper.restore(self.store_, ids)

    def duplicates(self, threshold: float | None = None) -> Any:
        """Groups of near-duplicates over all rows, as a DataFrame: group, row, distance, representative,
        facts.

        Every row of a group lies within `threshold` of its representative, the row with the most neighbours;
        distances are those of `query`. None takes a tenth of the median distance between nearest neighbours.
        """
        self.must_be_fitted()
        with self.store_.looking():
            ids, vectors = self.store_.vectors()
            space = self._space_
            if threshold is None:
                threshold = usual_threshold(vectors, space)
            need(threshold >= 0, "threshold", "be at least 0", threshold, "Use a distance that query shows")
            groups = groups_within(vectors, space.straight(threshold))
            return self._results.groups(ids, groups, space)

    @property
    def distance_(self) -> str:
        """What the distance between whole rows is, in a few words."""
        return self._space_.said

    @property
    def threshold_(self) -> float:
        """What `duplicates` takes when it is given none."""
        return usual_threshold(self.store_.vectors()[1], self._space_)

    def __len__(self) -> int:
        self.must_be_fitted()
        return len(self.store_)

    # ---------------------------------------------------------------- keeping

    @classmethod
    def open(cls, store: str | os.PathLike[str], model: Any = None, parts: Sequence[Any] = ()) -> Retriever:
        """A store that was made before. model: the fitted model, where the store could not keep it; it is
        tried on a stored row. parts: as in `load`.

        Raises FileError for what is no store, is damaged, or does not fit the model.
        """
        from isthmus.retrieval.saved import opened

        found: Retriever = opened(cls, store, model, parts)
        return found

    def close(self) -> None:
        """Let go of the store; nothing needs saving."""
        if hasattr(self, "store_"):
            self.store_.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # ---------------------------------------------------------------- small pieces

    def _ready(self, model: Any, coder: Coder, space: Space, keeper: Any, store: Store) -> None:
        """Take over what was made or read."""
        self.model_, self.store_ = model, store
        self._coder, self._space_, self._keeper = coder, space, keeper
        self._results = Results(store, keeper)
        self.n_features_in_ = int(getattr(model, "n_features_in_", len(coder.names)))

    def _asked(self, X: Any) -> tuple[Any, NDArray[np.bool_]]:
        """A question as rows that show something, and which of them lack cells (n,)."""
        asked = self._coder.asked(question(X, self.model_, self._keeper))
        shown = self._coder.shown(asked)
        if shown is None:
            return asked, np.zeros(count(asked), np.bool_)
        blank = np.flatnonzero(~shown.any(1))
        if len(blank):
            got = asked[blank[0]] if is_texts(asked) else f"none in row {blank[0]}"
            raise must("a query", "hold something that the model knows", got, "Check how it is spelled")
        return asked, np.asarray(~shown.all(1))

    def _refuse_lacking(self, X: Any) -> None:
        lacking = ", ".join(map(str, self._coder.lacking(X)))
        need(not lacking, "X", "have the columns it had at fit", f"none called {lacking}", "Add them, empty")

    def _condition(self, where: str) -> Any:
        return read_where(where, {str(fact.name): fact.kind for fact in self.store_.facts})

    def _by_cells(self, asked: Any, ids: Ids) -> tuple[NDArray[np.float32], Ids]:
        """Candidates ordered by the cells that a row shows; those that differ equally by their codes."""
        from isthmus.retrieval.agreement import apart

        there = ids[ids >= 0]
        distances = np.full(len(ids), np.inf, np.float32)
        if len(there):
            differ = apart(self._coder, asked, self._keeper.restore(self.store_, there))
            order = np.argsort(differ, kind="stable")
            distances[: len(there)], there = differ[order], there[order]
        return distances, np.concatenate([there, np.full(len(ids) - len(there), -1)])

    def _others(self) -> Any:
        """Some stored rows, to say what is usual."""
        ids = self.store_.ids()
        rng = np.random.default_rng(0)
        some = ids if len(ids) <= COMPARED else np.sort(rng.choice(ids, COMPARED, replace=False))
        return self._keeper.restore(self.store_, some)

    @property
    def _index(self) -> Index:
        from isthmus.retrieval.index import Exact

        if self.index is not None:
            return self.index
        return Graph() if has_usearch() else Exact()

    def _check_parameters(self) -> None:
        for name, (kind, example) in PARTS.items():
            value = getattr(self, name)
            if not (value is None or isinstance(value, kind)):
                do = f"Use {name}={example}"
                raise must(name, f"be a part of type {kind.__name__}, or None", value, do)
        if self.smoothing is not None:
            self.smoothing.check()
        if self.model is not None and not hasattr(self.model, "transform"):
            do = "Use Autoencoder(8), PCA(8) or a Pipeline"
            raise must("model", "have transform", type(self.model).__name__, do)

    def _note(self, coder: Coder) -> None:
        space = self._space_
        self.notes_ = [f"{counted(len(self.store_), 'row')}; distance: {space.said}."]
        if self.metric_errors_:
            shown = ", ".join(f"{name} {error:.4g}" for name, error in self.metric_errors_.items())
            self.notes_.append(f"Metric chosen by how well neighbours rebuild rows set aside: {shown}.")
        facts = self.store_.index_facts
        if "recall" in facts:
            self.notes_.append(
                f"Approximate index over {facts['rows']:,} rows: recall of the 10 nearest "
                f"{facts['recall']:.3f} on {facts['tested']} tests."
            )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "store_")


def _check_k(k: Any) -> None:
    whole = isinstance(k, (int, np.integer)) and not isinstance(k, bool) and k >= 1
    need(bool(whole), "k", "be a whole number of at least 1", k, "Use k=10")
