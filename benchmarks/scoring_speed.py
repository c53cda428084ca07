"""Scoring: one row as fast as numpy could, and 65,536 rows at the speed of the best chunk.

One row: the median time of a call (p50) of `transform` with a (1, d) array, as the model was fitted and once
its torch module was asked for (which may hold what a user put into it, so that is looked for), beside the
exported numpy file, onnxruntime on the exported graph, and a bare forward pass in numpy: scale, four lines of
products and ReLU, no checks. Many rows: `transform` with other chunk sizes than its own, and one score a row
(`errors`, summed) beside PyOD's `decision_function`. One thread.
"""

from __future__ import annotations

import runpy
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from contenders import CONTENDERS, Job, run
from datasets import low_rank
from isthmus import MLP, Autoencoder, ReLU, Trainer, export
from isthmus import forward as face
from measuring import REPEATS, arguments, in_turns, ratios, say, spread, table, verdict

NETS = {"b": (30, (64, 16), 4), "a": (784, (256, 64), 16)}
ROWS = 65_536


def fitted(d: int, hidden: tuple[int, ...], k: int) -> Autoencoder:
    """A model that has seen a little."""
    trainer = Trainer(max_epochs=1, progress=False)
    net = MLP(hidden, activation=ReLU(), from_pca=False)
    return Autoencoder(k, architecture=net, trainer=trainer, random_state=0).fit(low_rank(2_000, d))


def bare(model: Autoencoder) -> Callable[[Any], Any]:
    """The encoder in numpy, as short as it can be written."""
    scales = model.schema_.scales
    centre, scale = (np.array(v, np.float32) for v in (scales.centre, scales.scale))
    numbers = {name: np.array(part) for name, part in model.state_dict().items()}
    layers = [f"encoder.layers.{i}" for i in range(len(model.architecture.hidden) + 1)]
    weights = [numbers[f"{layer}.weight"].T.copy() for layer in layers]
    biases = [numbers[f"{layer}.bias"] for layer in layers]

    def encode(X: Any) -> Any:
        h = (X - centre) / scale
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            h = np.maximum(h @ w + b, 0)
        return h @ weights[-1] + biases[-1]

    return encode


def exported(model: Autoencoder) -> dict[str, Callable[[Any], Any]]:
    """The numpy file and the ONNX graph, where its packages are there."""
    found: dict[str, Callable[[Any], Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        export(model, Path(folder) / "scorer.py")
        found["exported .py, encode"] = runpy.run_path(str(Path(folder) / "scorer.py"))["encode"]
        try:
            import onnxruntime

            export(model, Path(folder) / "scorer.onnx")
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            session = onnxruntime.InferenceSession(str(Path(folder) / "scorer.onnx"), options)
            kind = {"tensor(double)": np.float64}.get(session.get_inputs()[0].type, np.float32)
            found["onnxruntime, z"] = lambda X: session.run(["z"], {"X": X.astype(kind)})[0]
        except ImportError:
            say("onnxruntime: not installed")
    return found


def p50(work: Callable[[Any], Any], row: Any, calls: int) -> float:
    """Median microseconds of a call."""
    gone = []
    for _ in range(calls):
        start = time.perf_counter()
        work(row)
        gone.append(time.perf_counter() - start)
    return 1e6 * statistics.median(gone)


def one_row(calls: int) -> None:
    """The first table."""
    print("### One row\n")
    judged = []
    for name, (d, hidden, k) in NETS.items():
        say(f"one row, net {name}")
        model = fitted(d, hidden, k)
        row = low_rank(1000, d)[:1]
        asked = fitted(d, hidden, k)
        others = exported(asked)  # asks for its torch module
        ways = {"bare numpy": bare(model), "transform": model.transform}
        ways |= {"transform, network_ asked for": asked.transform} | others
        assert np.allclose(ways["bare numpy"](row), model.transform(row), atol=1e-4)
        work = {way: (lambda encode=encode, row=row: p50(encode, row, calls)) for way, encode in ways.items()}
        found = in_turns(work)
        against = {way: ratios(values, found["bare numpy"]) for way, values in found.items()}
        lines = [(f"({name}) {way}", spread(found[way], 1), spread(against[way])) for way in found]
        table(["", "p50, microseconds", "times bare numpy"], lines)
        value = statistics.median(against["transform"])
        judged.append(f"- ({name}) transform beside bare numpy: {verdict(value, 2.0, at_most=True)}")
    print("\n".join(judged), "\n", flush=True)


def chunks(rows: int) -> None:
    """The second table."""
    print(f"### {rows:,} rows, by rows in a chunk\n")
    sizes, chosen = (256, 512, 1024, 2048, 4096, 8192, rows), face.rows_at_once
    lines, judged = [], []
    for name, (d, hidden, k) in NETS.items():
        say(f"{rows} rows, net {name}")
        model, X = fitted(d, hidden, k), low_rank(rows, d)

        def timed(size: int, model: Autoencoder = model, X: Any = X) -> float:
            face.rows_at_once = lambda *_: size
            start = time.process_time()
            model.transform(X)
            face.rows_at_once = chosen
            return rows / (time.process_time() - start)

        def alone(model: Autoencoder = model, x: Any = model.schema_.encode(X).x) -> float:
            start = time.process_time()
            face.codes(model.network_, x, model.n_components_)
            return rows / (time.process_time() - start)

        own = chosen(model.network_, d)
        work = {str(n): (lambda n=n: timed(n)) for n in sizes}
        found = in_turns(work | {"own": lambda own=own: timed(own), "network": alone})
        middle = {size: statistics.median(found[str(size)]) for size in sizes}
        best = max(middle, key=lambda size: middle[size])
        lines.append([f"({name})", *(spread(values, 0) for values in found.values())])
        share = statistics.median(ratios(found["own"], found[str(best)]))
        judged.append(f"- ({name}) chunks of {own}, isthmus's own, beside the best, {best}: {share:.2f}")
    table(["rows per CPU-second", *map(str, sizes), "isthmus's own", "the network alone"], lines)
    print("\n".join(judged), "\n", flush=True)


def beside(rows: int, repeats: int) -> None:
    """The third table."""
    print(f"### One score for each of {rows:,} rows, rows per CPU-second\n")
    names = ("isthmus", "PyOD", "MLPRegressor", "torch, slices")
    assert set(names) <= set(CONTENDERS)
    lines = []
    for columns in (30, 784):
        job = Job(min(rows, 60_000) if columns == 784 else rows, columns, 1024, 1)
        found: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(repeats):
            for name in names:
                say(f"{columns} columns, {name}")
                seen, ended = run(name, job, score=True)
                if ended.status == 0:
                    found[name].append(job.rows / seen["score_cpu"])
        lines.append([f"{job.rows:,} x {columns}", *(spread(values, 0) for values in found.values())])
        if found["PyOD"] and found["isthmus"]:
            lines[-1].append(spread(ratios(found["isthmus"], found["PyOD"])))
    table(["", *names, "isthmus over PyOD"], lines)


def main() -> None:
    """Three tables."""
    small = arguments(__doc__).small
    torch.set_num_threads(1)
    one_row(100 if small else 2000)
    chunks(16_384 if small else ROWS)
    beside(4096 if small else ROWS, 1 if small else REPEATS)


if __name__ == "__main__":
    main()
