"""Search in a million codes: recall, queries per second, building, disk, memory; filters; killed writers.

A million rows of 32 numbers that come from 12 hidden ones, made up here; 1,000 queries of the same kind. One
thread, CPU seconds. The peers are called directly, with arrays in memory and nothing beside: faiss's and
usearch's graphs and faiss's lists, each at the least effort that finds 95 of 100 true neighbours. Ours goes
through the store, which looks for changes by others before every question, and once more through the whole of
`kneighbors` (the rows are encoded, too) and `query` (a DataFrame with metadata).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer

from datasets import low_rank
from isthmus import Euclidean, Exact, Graph, Retriever
from isthmus.retrieval.exact import nearest
from measuring import say, spread, table, verdict

K = 10
ENOUGH = 0.95
REPEATS = 3

sys.path += [os.environ["ISTHMUS_PEERS"]] if "ISTHMUS_PEERS" in os.environ else []


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and what came of it."""
    start = time.process_time()
    made = work()
    return time.process_time() - start, made


def recall(found: Any, true: Any) -> float:
    """Share of the true neighbours found."""
    return float(np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(found, true, strict=True)]))


def rates(search: Callable[[Any], Any], queries: Any) -> tuple[str, str, float, float]:
    """Queries per CPU second, all at once and one by one."""
    many = [len(queries) / cpu(lambda: search(queries))[0] for _ in range(REPEATS)]
    some = queries[:200]
    one = [
        len(some) / cpu(lambda: [search(some[i : i + 1]) for i in range(len(some))])[0]
        for _ in range(REPEATS)
    ]
    return spread(many, 0), spread(one, 0), float(np.median(many)), float(np.median(one))


def folder_size(place: Path) -> float:
    """MB of files."""
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) / 1e6


def tuned(
    efforts: tuple[int, ...], search: Callable[[int, Any], Any], queries: Any, true: Any
) -> tuple[int, float]:
    """The least effort that finds enough, and what it finds."""
    for effort in efforts:
        found = recall(search(effort, queries), true)
        if found >= ENOUGH:
            break
    return effort, found


def of_faiss(X: Any, queries: Any, true: Any) -> list[tuple[Any, ...]]:
    """faiss, called directly."""
    try:
        import faiss
    except ImportError:
        return [("faiss", "not installed", *[""] * 5, [0.0, 0.0])]
    faiss.omp_set_num_threads(1)
    lines = []
    for name, make, efforts in (
        ("faiss HNSW32", lambda: faiss.IndexHNSWFlat(X.shape[1], 32), (10, 12, 14, 16, 24, 32, 64, 128, 256)),
        (
            "faiss IVF1024",
            lambda: faiss.index_factory(X.shape[1], "IVF1024,Flat"),
            (2, 4, 6, 8, 12, 16, 24, 32, 64),
        ),
    ):
        index = make()

        def build(index: Any = index) -> None:
            if not index.is_trained:
                index.train(X[:200_000])
            index.add(X)

        built, _ = cpu(build)

        def search(effort: int, some: Any, index: Any = index) -> Any:
            if hasattr(index, "hnsw"):
                index.hnsw.efSearch = effort
            else:
                index.nprobe = effort
            return index.search(some, K)[1]

        effort, found = tuned(efforts, search, queries, true)
        many, one, *rate = rates(lambda some, search=search, effort=effort: search(effort, some), queries)
        with tempfile.TemporaryDirectory() as place:
            faiss.write_index(index, f"{place}/index")
            size = folder_size(Path(place))
        say(f"{name}: {found:.3f} {many}")
        lines.append((name, f"{found:.3f}", many, one, f"{built:,.0f}", f"{size:,.0f}", "", rate))
    return lines


def ours(X: Any, queries: Any, true: Any, place: Path) -> tuple[list[tuple[Any, ...]], Retriever]:
    """The store with its graph, the graph alone, and the store without one."""
    model = FunctionTransformer().fit(X[:10])
    n = len(X)
    meta = {"n": np.arange(n), "label": np.arange(n) % 7}
    graph = Graph(least=1000)
    before = _resident()
    seconds, retriever = cpu(
        lambda: Retriever(model, metric=Euclidean(), index=graph, store=place).fit(X, metadata=meta)
    )
    retriever.close()
    opened, retriever = cpu(lambda: Retriever.open(place, model))
    memory = _resident() - before
    say(f"stored and built: {seconds:.0f} CPU s; {retriever.notes_[-1]}")
    vectors = retriever._space_(queries)
    prepared = retriever.store_.index.prepared
    lines = []

    def through_store(some: Any) -> Any:
        return retriever.store_.nearest(some, K, None)[1]

    many, one, *rate = rates(through_store, vectors)
    found = recall(through_store(vectors), true)
    size = folder_size(place)
    lines.append(
        (
            "isthmus store, graph",
            f"{found:.3f}",
            many,
            one,
            f"{seconds:,.0f}",
            f"{size:,.0f}",
            f"{memory:,.0f}",
            rate,
        )
    )
    scaled = vectors * prepared.scale
    direct = lambda some: np.asarray(prepared.graph.search(some, K, threads=1).keys).reshape(len(some), -1)  # noqa: E731
    many, one, *rate = rates(direct, scaled)
    graph_mb = sum(file.stat().st_size for file in place.rglob("graph.usearch")) / 1e6
    lines.append(
        (
            "usearch, the same graph",
            f"{recall(direct(scaled), true):.3f}",
            many,
            one,
            "",
            f"{graph_mb:,.0f}",
            "",
            rate,
        )
    )
    many, one, *_ = rates(lambda some: retriever.kneighbors(some, K), queries)
    lines.append(("isthmus kneighbors", f"{found:.3f}", many, one, "", "", "", [0.0, 0.0]))
    many, one, *_ = rates(lambda some: retriever.query(some, K), queries)
    lines.append(("isthmus query, a DataFrame", f"{found:.3f}", many, one, "", "", "", [0.0, 0.0]))
    print(f"Opening the store again: {opened:.2f} CPU s. {retriever.notes_[-1]}\n")
    return lines, retriever


def _resident() -> float:
    """MB that this process holds now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def filtered(retriever: Retriever, queries: Any, n: int) -> None:
    """K rows wherever there are k, at every selectivity."""
    vectors, lines = retriever._space_(queries[:50]), []
    numbers, held = retriever.store_.vectors()
    for share in (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 0.9):
        left = max(K, int(share * n))
        where = retriever._condition(f"n >= {n - left}")
        true = numbers[-left:][nearest(vectors, held[-left:], K)[1]]
        seconds, found = cpu(lambda where=where: retriever.store_.nearest(vectors, K, where)[1])
        again, _ = cpu(lambda where=where: retriever.store_.nearest(vectors, K, where))
        full = int((found >= 0).all(1).sum())
        speed = f"{len(vectors) / seconds:,.0f}", f"{len(vectors) / again:,.0f}"
        lines.append(
            (f"{share:g}", f"{left:,}", f"{full} of {len(vectors)}", f"{recall(found, true):.3f}", *speed)
        )
    header = [
        "share that satisfies it",
        "rows",
        "questions with all 10 rows",
        "recall",
        "queries/s, first time",
    ]
    table([*header, "and again"], lines)


# ---------------------------------------------------------------- a writer that is killed


def write(place: Path) -> None:
    """Add rows one by one, printing each number once it is stored."""
    from isthmus.retrieval.saved import _file_store

    store = _file_store(place, Exact())
    while True:
        number = int(store.setting("next"))
        vector = np.random.default_rng(number).normal(size=(1, 8)).astype(np.float32)
        print(int(store.add(vector, [b"row"], [[number]])[0]), flush=True)


def killed(kills: int) -> None:
    """Kill writers and look for what they had acknowledged; a reader searches all the while."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "store"
        first = rng.normal(size=(100, 8)).astype(np.float32)
        model = FunctionTransformer().fit(first)
        reader = Retriever(model, metric=Euclidean(), store=place).fit(first, metadata={"n": range(100)})
        acknowledged, lost, wrong, looks, worst = 99, 0, 0, 0, 0.0
        for _ in range(kills):
            command = [sys.executable, __file__, "--writer", str(place)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
                assert writer.stdout is not None
                writer.stdout.readline()
                end = time.monotonic() + rng.uniform(0.01, 0.5)
                while time.monotonic() < end:
                    start = time.perf_counter()
                    _, ids = reader.kneighbors(first[:1], 3)
                    worst = max(worst, time.perf_counter() - start)
                    looks += 1
                    wrong += int(ids[0, 0] != 0)
                writer.send_signal(signal.SIGKILL)
                said = [int(line) for line in writer.stdout.read().split("\n")[:-1] if line]
            acknowledged = max([acknowledged, *said])
            numbers, vectors = reader.store_.vectors()
            lost += len(np.setdiff1d(np.arange(acknowledged + 1), numbers))
            true = np.stack(
                [np.random.default_rng(int(i)).normal(size=8) for i in numbers[100:]] or [np.zeros(8)]
            )
            wrong += int(
                len(numbers) > 100 and not np.allclose(vectors[100:], true.astype(np.float32), atol=1e-6)
            )
        print(
            f"{kills} writers killed with SIGKILL, {acknowledged - 99:,} rows acknowledged: {lost} lost. "
            f"A reader beside them asked {looks:,} times, {wrong} wrong answers.\n"
        )
        print("- acknowledged rows lost:", verdict(lost, 0, at_most=True))
        print("- wrong answers:", verdict(wrong, 0, at_most=True))
        reader.close()


def main() -> None:
    """The tables."""
    small = "--small" in sys.argv
    n = 30_000 if small else 1_000_000
    rows = low_rank(n + 1000, 32, hidden=12)
    rows -= rows[:n].mean(0)
    X, queries = np.ascontiguousarray(rows[:n]), np.ascontiguousarray(rows[n:])
    seconds, (_, true) = cpu(lambda: nearest(queries, X, K))
    exact = (
        "exact, all compared",
        "1.000",
        f"{len(queries) / seconds:,.0f}",
        "",
        "",
        f"{X.nbytes / 1e6:,.0f}",
        "",
        0.0,
    )
    place = Path(tempfile.mkdtemp()) / "store"
    try:
        lines, retriever = ours(X, queries, true, place)
        peers = of_faiss(X, queries, true)
        header = [
            "1 thread",
            "recall@10",
            "queries/s, 1,000 at once",
            "one by one",
            "build, CPU s",
            "disk, MB",
        ]
        table([*header, "memory, MB"], [line[:-1] for line in (exact, *peers, *lines)])
        print("- recall@10 of the store:", verdict(float(lines[0][1]), ENOUGH))
        for i, way in enumerate(("1,000 at once", "one by one")):
            fastest = max(line[-1][i] for line in (*peers, lines[1]))
            ratio = lines[0][-1][i] / fastest
            print(f"- its queries/s beside the fastest called directly, {way}:", verdict(ratio, 0.5))
        print()
        filtered(retriever, queries, n)
        retriever.close()
    finally:
        shutil.rmtree(place.parent, ignore_errors=True)
    killed(2 if small else 20)


if __name__ == "__main__":
    write(Path(sys.argv[2])) if "--writer" in sys.argv else main()
