"""One contender in a process of its own: trains what it is told to and prints what that took, as JSON.

    python contenders.py NAME ROWS COLUMNS BATCH EPOCHS [--cold] [--score]

The net is d-256-64-16-64-256-d with ReLU, the optimiser Adam, the loss the squared error, for everyone; rows,
batches and epochs are the same, nobody stops early, nobody draws a progress bar. Warm figures are of a second
fit in the process, after one on a few batches; `--cold` fits once, and whoever started the process counts all
of it. Rows come as float32 of unit variance; what a package does to them inside its `fit` counts as its time.

Each contender imports its own package only. Packages may lie in a folder named by ISTHMUS_PEERS.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from typing import Any, NamedTuple

__all__ = ["CONTENDERS", "Job", "run"]

HIDDEN, CODE = (256, 64), 16
LAYERS = (*HIDDEN, CODE, *HIDDEN[::-1])
RATE = 1e-3


class Job(NamedTuple):
    """What to train on and how long."""

    rows: int
    columns: int
    batch: int
    epochs: int


class Fitted(NamedTuple):
    """Rows trained on, all epochs together; a function from rows to one score a row; isthmus alone tells how
    many seconds of its fit were those of the training loop.
    """

    rows: int
    score: Callable[[Any], Any]
    loop: float = 0.0


def ours(X: Any, job: Job, own_net: bool = False, bf16: bool = False) -> Fitted:
    """Isthmus; own_net: its default activation, and a linear road beside the layers."""
    from isthmus import MLP, Autoencoder, ReLU, SquaredError, Trainer

    net = MLP(HIDDEN) if own_net else MLP(HIDDEN, activation=ReLU(), from_pca=False)
    trainer = Trainer(job.epochs, job.batch, RATE, held_out=0, bf16=bf16, progress=False)
    model = Autoencoder(CODE, architecture=net, loss=SquaredError(), trainer=trainer, random_state=0).fit(X)
    rows = round(len(X) * model.history_rows_[-1]["epoch"])
    return Fitted(rows, lambda Y: model.errors(Y).sum(1), model.history_rows_[-1]["seconds"])


def torch_loop(X: Any, job: Job, loader: bool) -> Fitted:
    """A plain loop: a DataLoader, or slices of a shuffled order."""
    import torch
    from torch import nn

    net = _chain((X.shape[1], *LAYERS, X.shape[1]))
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE, fused=not loader)
    data, rows = torch.from_numpy(X), 0
    dataset = torch.utils.data.TensorDataset(data)
    feed = torch.utils.data.DataLoader(dataset, job.batch, shuffle=True)
    for _ in range(job.epochs):
        order = None if loader else torch.randperm(len(X)).split(job.batch)
        for item in feed if loader else order:
            batch = item[0] if loader else data[item]
            optimiser.zero_grad(set_to_none=True)
            nn.functional.mse_loss(net(batch), batch).backward()
            optimiser.step()
            rows += len(batch)

    def score(Y: Any) -> Any:
        with torch.no_grad():
            parts = torch.from_numpy(Y).split(1024)
            return torch.cat([(net(part) - part).square().sum(1) for part in parts]).numpy()

    return Fitted(rows, score)


def _chain(widths: tuple[int, ...]) -> Any:
    """Dense layers in torch, ReLU between them."""
    from torch import nn

    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def scikit_learn(X: Any, job: Job) -> Fitted:
    """MLPRegressor from X to X."""
    import warnings

    from sklearn.neural_network import MLPRegressor

    warnings.simplefilter("ignore")  # that a few epochs are few
    stop = {"max_iter": job.epochs, "tol": 0.0, "n_iter_no_change": 10**6}
    options = {"batch_size": job.batch, "learning_rate_init": RATE, "random_state": 0, **stop}
    model = MLPRegressor(hidden_layer_sizes=LAYERS, **options).fit(X, X)
    return Fitted(len(X) * model.n_iter_, lambda Y: ((model.predict(Y) - Y) ** 2).sum(1))


def pyod(X: Any, job: Job, **options: Any) -> Fitted:
    """PyOD's AutoEncoder; its fit ends with scoring the rows, as a detector must."""
    from pyod.models.auto_encoder import AutoEncoder

    options |= {"lr": RATE, "epoch_num": job.epochs, "batch_size": job.batch, "verbose": 0}
    model = AutoEncoder(hidden_neuron_list=[*HIDDEN, CODE], device="cpu", **options).fit(X)
    whole = len(X) // job.batch * job.batch  # its loader drops a last batch that is not full
    return Fitted(whole * job.epochs, model.decision_function)


def keras(X: Any, job: Job, backend: str) -> Fitted:
    """Keras on a backend; the second fit finds the first one's compiled step."""
    os.environ["KERAS_BACKEND"] = backend
    model = _keras_model(X.shape[1])
    model.fit(X, X, batch_size=job.batch, epochs=job.epochs, verbose=0)

    def score(Y: Any) -> Any:
        return ((model.predict(Y, batch_size=1024, verbose=0) - Y) ** 2).sum(1)

    return Fitted(len(X) * job.epochs, score)


@cache
def _keras_model(columns: int) -> Any:
    import keras as package

    layers = [package.layers.Dense(width, activation="relu") for width in LAYERS]
    model = package.Sequential([package.Input((columns,)), *layers, package.layers.Dense(columns)])
    model.compile(package.optimizers.Adam(RATE), "mse")
    return model


def pythae(X: Any, job: Job) -> Fitted:
    """Pythae's AE, in its own training pipeline's trainer."""
    import logging
    import tempfile

    import torch
    from pythae.data.datasets import BaseDataset
    from pythae.models import AE, AEConfig
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    logging.disable(logging.CRITICAL)
    os.environ["TQDM_DISABLE"] = "1"
    d, half = X.shape[1], len(HIDDEN) + 1
    encoder, decoder = (
        _pythae_half(base, name, widths)
        for base, name, widths in (
            (BaseEncoder, "embedding", (d, *LAYERS[:half])),
            (BaseDecoder, "reconstruction", (*LAYERS[half - 1 :], d)),
        )
    )
    model = AE(AEConfig(input_dim=(d,), latent_dim=CODE), encoder, decoder)
    with tempfile.TemporaryDirectory() as folder:
        options = {"num_epochs": job.epochs, "per_device_train_batch_size": job.batch, "learning_rate": RATE}
        config = BaseTrainerConfig(folder, no_cuda=True, keep_best_on_train=True, **options)
        rows = BaseDataset(torch.from_numpy(X), torch.zeros(len(X)))
        BaseTrainer(model, rows, training_config=config).train()
    return Fitted(len(X) * job.epochs, len)


def _pythae_half(base: Any, name: str, widths: tuple[int, ...]) -> Any:
    from pythae.models.base.base_utils import ModelOutput

    class Half(base):
        def __init__(self) -> None:
            base.__init__(self)
            self.layers = _chain(widths)

        def forward(self, x: Any) -> Any:
            return ModelOutput(**{name: self.layers(x)})

    return Half()


CONTENDERS: dict[str, Callable[[Any, Job], Fitted]] = {
    "isthmus": ours,
    "isthmus, bf16": partial(ours, bf16=True),
    "isthmus, its own net": partial(ours, own_net=True),
    "torch, slices": partial(torch_loop, loader=False),
    "torch, DataLoader": partial(torch_loop, loader=True),
    "MLPRegressor": scikit_learn,
    "PyOD": partial(pyod, batch_norm=False, dropout_rate=0.0),
    "PyOD, as it comes": pyod,
    "Keras on jax": partial(keras, backend="jax"),
    "Keras on torch": partial(keras, backend="torch"),
    "pythae": pythae,
}


def run(name: str, job: Job, cold: bool = False, score: bool = False, threads: int = 1) -> Any:
    """Start a contender; what it printed (rows, cpu, wall, score_cpu) and how its process ended."""
    import json

    from measuring import process

    flags = ["--cold"] * cold + ["--score"] * score
    ended = process([sys.executable, __file__, name, *map(str, job), *flags], threads)
    return (json.loads(ended.out.splitlines()[-1]) if ended.status == 0 else {}), ended


def main() -> None:
    """What `run` starts."""
    import json
    import time

    from datasets import low_rank, mnist

    sys.path.append(os.environ.get("ISTHMUS_PEERS", ""))
    if os.environ.get("OMP_NUM_THREADS") == "1":
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    name, job = sys.argv[1], Job(*map(int, sys.argv[2:6]))
    pictures = mnist() if job.columns == 784 else None
    X = low_rank(job.rows, job.columns) if pictures is None else pictures[0][: job.rows] / 255
    X = X.astype("float32")
    fit = CONTENDERS[name]
    if "--cold" not in sys.argv:
        fit(X, job._replace(epochs=1))  # of all rows: a smaller fit may be another engine's
    cpu, wall = time.process_time(), time.perf_counter()
    fitted = fit(X, job)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    found = {"rows": fitted.rows, "cpu": cpu, "wall": wall, "loop": fitted.loop}
    if "--score" in sys.argv:
        fitted.score(X[:2048])
        start = time.process_time()
        fitted.score(X)
        found["score_cpu"] = time.process_time() - start
    print(json.dumps(found))


if __name__ == "__main__":
    main()
