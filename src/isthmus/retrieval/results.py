"""Results: what was found as a table people can read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.inputs.frames import as_frame_like
from isthmus.retrieval.facts import frame_of
from isthmus.retrieval.rows import TextRows
from isthmus.retrieval.store import Ids, Store

__all__ = ["Results"]


class Results:
    """Tables of stored rows with their facts."""

    def __init__(self, store: Store, keeper: Any) -> None:
        self.store, self.keeper, self.library = store, keeper, getattr(keeper, "library", "")

    def table(self, distances: NDArray[Any], ids: Ids) -> Any:
        """query, row, distance and facts of what was found, (q, k) each; -1 is nothing."""
        query, place = np.nonzero(ids >= 0)
        lead = {"query": query, "row": ids[query, place], "distance": distances[query, place]}
        return self._joined(lead, ids[query, place])

    def groups(self, ids: Ids, groups: Any, space: Any) -> Any:
        """group, row, distance, representative and facts."""
        group, places, distances, leads = groups
        lead = {
            "group": group,
            "row": ids[places],
            "distance": space.shown(distances.astype(np.float32)),
            "representative": leads,
        }
        return self._joined(lead, ids[places])

    def without(self, found: Any, row: int, k: int) -> Any:
        """The first k lines of a table of one query that are not this row."""
        number = list(getattr(found, "columns", found))[1]
        keep = np.flatnonzero(np.asarray(found[number]) != row)[:k]
        if isinstance(found, dict):
            return {name: np.asarray(values)[keep] for name, values in found.items()}
        return found.iloc[keep].reset_index(drop=True) if hasattr(found, "iloc") else found[keep]

    def _joined(self, lead: dict[str, Any], ids: Ids) -> Any:
        facts = self.store.facts
        if isinstance(self.keeper, TextRows):
            lead["text"] = self.keeper.restore(self.store, ids)
        if not facts:
            return as_frame_like(None, lead)
        columns = self.store.columns(ids)
        library = self.library or "pandas"
        made = frame_of(facts, columns, library)
        taken = {str(fact.name) for fact in facts}
        lead = {_free(name, taken): values for name, values in lead.items()}
        if library == "polars":
            import polars

            return polars.concat([polars.DataFrame(lead), made], how="horizontal")
        import pandas

        return pandas.concat([pandas.DataFrame(lead), made], axis=1)


def _free(name: str, taken: set[str]) -> str:
    """The name, with a line below where a column of the user's has it."""
    while name in taken:
        name += "_"
    return name
