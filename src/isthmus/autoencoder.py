"""The autoencoder: data in, a code through a bottleneck, the data back.

    x -> corrupt -> x_tilde -> encode -> z -> decode -> x_hat        L(x, x_hat) + sum_k lambda_k * Omega_k

With a narrow linear code and squared error this is a nonlinear generalisation of PCA, and by default it
starts exactly
there: a linear road set to the principal axes runs beside the layers, so that training can only add what
PCA lacks. A penalty, a corruption or another code make it sparse, contractive or denoising; see
`isthmus.recipes` for the names.

>>> import numpy as np
>>> X = np.random.default_rng(0).normal(size=(200, 3)) @ np.random.default_rng(1).normal(size=(3, 6))
>>> model = Autoencoder(3, random_state=0).fit(X)
>>> model.transform(X).shape, bool(np.abs(model.reconstruct(X) - X).max() < 0.1)
((200, 3), True)
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, must, need
from isthmus.citizen import Transformer
from isthmus.codes import Code, LinearCode
from isthmus.corruptions import Corruption
from isthmus.fingerprint import fingerprint
from isthmus.forward import cell_errors, codes, examined, few_for, rebuilt, reconstructions
from isthmus.inputs import (
    Auto,
    Folder,
    Inputs,
    RunningMean,
    Schema,
    Source,
    Sparse,
    as_frame_like,
    as_source,
    encoded,
    learned,
    rows_of,
)
from isthmus.lazily import fetched
from isthmus.losses import Deviance, Loss, SquaredError
from isthmus.nesting import truncated
from isthmus.networks import Architecture, Linear, Mersenne, PlainNetwork, Suited, dense_layers
from isthmus.objective import Objective
from isthmus.parts import Layout, pack
from isthmus.penalties import Penalty
from isthmus.training import (
    Member,
    PlainMember,
    PlainRows,
    Rows,
    Trainer,
    isolated,
    numpy_trains,
    seed_from,
)
from isthmus.wording import counted

if TYPE_CHECKING:
    import torch

    from isthmus.networks import Network
    from isthmus.training import Stream
else:
    from isthmus.lazily import torch

__all__ = ["Autoencoder"]

START = 2**25  # numbers looked at, at most, to set first weights: 128 MB
MADE = threading.Lock()  # while a torch network is made, which all threads then share


class Autoencoder(Transformer):
    """Learns to pass unlabelled data through a bottleneck and back.

    Parameters
    ----------
    n_components : int, None or "auto"
        Numbers in the code. "auto" is the square root of the data's width, rounded up. None is no narrow
        code at all, and needs something else that keeps the network from copying: a corruption, a penalty
        or a sparse code.
    architecture : Architecture
        The network: `Suited()` takes `MLP()` for tables and `ConvNet()` for pictures and signals; `Linear()`,
        `MLP(hidden=(256, 64))`, or one of your own.
    code : Code
        The activation at the bottleneck: `LinearCode()`, `SigmoidCode()`, `ReLUCode()`, `TopK(k)`,
        `BatchTopK(k)`, `Nested()`.
    loss : Loss
        Per-cell reconstruction error: `Deviance()`, `SquaredError()`, `BoundedSquaredError()`, `Huber()`,
        `BinaryCrossEntropy()`.
    corruption : Corruption or None
        Damage done to the input in training while the target stays clean.
    penalty : Penalty or None
        lambda * Omega terms, as in `0.1 * L1() + 1e-2 * Contraction()`.
    inputs : Inputs
        How data become numbers: `Auto()`, `Table(...)` with choices by column, `Images(...)`, `Signals(...)`.
    trainer : Trainer
        How long and how fast to train.
    random_state : int, RandomState, Generator or None
        Seed; with an int, two fits give the same bits on one machine. None is a fresh one, or 0 where a
        checkpoint must find the same fit again or the processes of torchrun must agree. No global random
        state is ever touched.

    Attributes
    ----------
    n_components_ : int
        Numbers in the code.
    history_ : DataFrame
        Every term of the objective for training and held-out rows, one line per look.
    kept_epoch_ : float or None
        The epoch, as in `history_`, whose weights these are; None for others, such as the mean of several.
    held_out_ : ndarray
        Row numbers kept from training.
    lambdas_ : dict of float
        The weight of every penalty by its name, as it was given, or found where the penalty has a target.
    notes_ : list of str
        What was chosen and noticed, in sentences.
    fingerprint_ : dict
        Rows, columns and a checksum of the training data, to recognise them by.
    schema_, network_ : Schema, Network
        What was learned about the columns, and the weights.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Their names, where X had names that are strings.

    References
    ----------
    Hinton & Salakhutdinov (2006), Reducing the dimensionality of data with neural networks, Science 313.
    """

    history_rows_: list[dict[str, float]]
    kept_epoch_: float | None
    lambdas_: dict[str, float]
    versions_: dict[str, str]  # of the libraries that saved it, where `load` made it
    schema_: Schema
    _network: Network | PlainNetwork
    facts_: dict[str, Any]  # what a face wants kept in the file, as plain values; the command line's reading

    def __init__(
        self,
        n_components: int | str | None = "auto",
        *,
        architecture: Architecture = Suited(),
        code: Code = LinearCode(),
        loss: Loss = Deviance(),
        corruption: Corruption | None = None,
        penalty: Penalty | None = None,
        inputs: Inputs = Auto(),
        trainer: Trainer = Trainer(),
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.architecture = architecture
        self.code = code
        self.loss = loss
        self.corruption = corruption
        self.penalty = penalty
        self.inputs = inputs
        self.trainer = trainer
        self.random_state = random_state

    # ---------------------------------------------------------------- learning

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn from the rows of X (n, columns): a DataFrame, an array, a Source, or whatever `inputs` reads.

        Raises DataError for data or parameters that cannot be used, TrainingError when the loss overflows
        twice.
        """
        self._fit(self._open(X))
        return self

    def _fit(self, X: Any, seen: Any = None) -> None:
        member = self._prepared(X, seen=seen, plain=seen is None)
        if member is not None:
            self._trained(member, self._train([member], [self]))

    def _train(
        self,
        members: Sequence[Member],
        models: Sequence[Autoencoder] = (),
        stop: threading.Event | None = None,
        beside: bool = False,
    ) -> Any:
        """Train these members, all of one kind, as this model's trainer says; the plan that was used.

        models: whose they are, where a checkpoint of theirs is to be found again. stop and beside: as
        `Trainer.plainly` has them, where numpy trains.
        """
        if isinstance(members[0], PlainMember):
            return self.trainer.plainly(members, stop, beside)  # type: ignore[arg-type]
        named = models if self.trainer.checkpoint is not None else ()
        with isolated(self._seed):
            return self.trainer(members, [model._identity() for model in named])

    def fit_pairs(self, X_tilde: Any, X: Any) -> Self:
        """Learn to give back X from X_tilde, row for row: nature corrupted where `corruption` would.

        X may be as noisy as X_tilde, if the noise of the two has mean zero and is independent: the best
        network is then the same as for clean X (Lehtinen et al. 2018, Noise2Noise, ICML).

        Raises DataError for whatever `fit` would, where a corruption is set, or rows do not match.
        """
        alone = self.corruption is None
        need(alone, "corruption", "be None where noisy rows are given", self.corruption, "Use fit")
        X, X_tilde = self._open(X), self.inputs.open(X_tilde)
        rule = f"have as many rows as X, {len(X):,}"
        need(len(X_tilde) == len(X), "X_tilde", rule, f"{len(X_tilde):,}", "Give both in the same order")
        self._fit(X, X_tilde)
        return self

    def partial_fit(self, X: Any, y: None = None) -> Self:
        """One more pass over the rows of X; the first call fixes the columns, their scales and the
        network.
        """
        X = self._open(X)
        if not hasattr(self, "network_"):
            rows, generator = self._begin(X)
            self.held_out_ = np.array([], dtype=np.int64)
            self._start(rows)
        else:
            rows, generator = self._rows(X), self._generator()
        member = self._member(X, rows, None, generator)
        self.trainer.with_params(max_epochs=1)([member])
        passes = self.history_rows_[-1]["epoch"] if self.history_rows_ else 0.0
        self.history_rows_.extend({**row, "epoch": passes + row["epoch"]} for row in member.history)
        self.kept_epoch_ = self.history_rows_[-1]["epoch"]
        self.lambdas_: dict[str, float] = member.objective.lambdas
        return self

    def continue_fit(self, X: Any) -> Self:
        """Train on from the weights it has: another run of the trainer, on the columns it knows.

        The learning rate warms up anew, so a model cut to size by `truncate`, or one that meets more rows, is
        trained as long as the trainer says and no longer. `history_` goes on where it was.
        """
        self.must_be_fitted()
        X = self._open(X)
        rows, generator = self._rows(X), self._generator()
        train, held_out = rows.split(self.trainer.held_out, generator)
        self.held_out_ = np.array([], dtype=np.int64) if held_out is None else held_out.numbers.numpy()
        member, before = self._member(X, train, held_out, generator), self.history_rows_
        self._trained(member, self._train([member]))
        passes = before[-1]["epoch"] if before else 0.0
        self.history_rows_ = before + [{**row, "epoch": passes + row["epoch"]} for row in member.history]
        self.kept_epoch_ = passes + member.history[member.kept_at]["epoch"]
        return self

    def truncate(self, k: int) -> Autoencoder:
        """A model of the first k numbers of a nested code, which is what `code=Nested()` trained it for.

        Its codes are the first k columns of this model's, its reconstructions those of the code with the rest
        at 0. It is saved and used like any other. Raises DataError unless 1 <= k <= n_components_ and the
        code is `Nested()`.
        """
        self.must_be_fitted()
        return truncated(self, k)

    def _open(self, X: Any) -> Any:
        """Check the parameters; a path becomes the source of its rows, so that files are looked at once."""
        self._check_parameters()
        return as_source(self.inputs.open(X))

    def _prepared(
        self, X: Any, known: dict[Any, Any] | None = None, seen: Any = None, plain: bool = False
    ) -> Member | None:
        """Everything up to the first step of training; None where the minimum has a closed form.

        `known` remembers what has been learned about X, for the next model of the same data; `seen` is what
        the encoder is shown in its place; `plain`: numpy trains it, where it is such a network.
        """
        rows, generator = self._begin(X, known, seen, plain)
        closed = seen is None and self._is_pca()
        train, held_out = (rows, None) if closed else rows.split(self.trainer.held_out, generator)
        self.held_out_ = np.array([], dtype=np.int64) if held_out is None else np.asarray(held_out.numbers)
        self._start(train)
        self._try_penalty(train)
        if closed and isinstance(rows, Rows) and rows.observed is None:
            self._finish_in_closed_form(rows, generator)
            return None
        return self._member(X, train, held_out, generator)

    def _begin(
        self, X: Any, known: dict[Any, Any] | None = None, seen: Any = None, plain: bool = False
    ) -> tuple[Any, Any]:
        """Learn the columns, build the network; the rows, and the generator of what is random about them."""
        self._seed = self._drawn_seed()
        once = _Once(known, id(X), repr(self.inputs))
        self.schema_ = once("schema", lambda: learned(self.inputs, X, self._seed))
        self.facts_ = {}
        self._note_features()
        self.n_components_ = self._resolve_components(self.schema_.layout, guarded=seen is not None)
        rows: Any = self._rows(X, plain, once)
        in_memory = isinstance(rows, (Rows, PlainRows))
        first = rows if in_memory else rows.first(START // self.schema_.layout.width)
        something = first.observed is None or bool(first.observed.any())
        need(something, "X", "have at least one value", "none", "Check how the data were read")
        if seen is not None:
            rows = self._beside(rows, seen)
        self.loss.check(self.schema_.layout)
        self._network = self._build(plain=isinstance(rows, PlainRows))
        if self.penalty is not None:
            self.penalty.check(self.network_)
        self.notes_ = list(self.schema_.notes)
        names = self.schema_.names
        self.fingerprint_ = dict(once("fingerprint", lambda: fingerprint(np.asarray(first.x), names)))
        self.history_rows_, self.kept_epoch_ = [], None
        self.lambdas_ = {}
        return rows, Mersenne(self._seed) if isinstance(rows, PlainRows) else self._generator()

    def _drawn_seed(self) -> int:
        """From `random_state`; where that is None, 0 if the same seed must be found again or agreed upon."""
        agreed = self.trainer.checkpoint is not None or int(os.environ.get("WORLD_SIZE", "1")) > 1
        return seed_from(0 if self.random_state is None and agreed else self.random_state)

    def _member(self, X: Any, train: Any, held_out: Any, generator: Any) -> Member:
        """The model as the trainer sees it."""
        seed, namer = self._seed + len(self.history_rows_), self._cell_namer(X)
        objective = self._objective()
        goals = [name for name, term in objective.terms_by_name.items() if term.goal is not None]
        found = {name: {"weight": self.lambdas_[name]} for name in goals if name in self.lambdas_}
        plain = isinstance(train, PlainRows)
        kind, network = (PlainMember, self._network) if plain else (Member, self.network_)
        return kind(network, objective, train, held_out, generator, seed, namer, steering=found)  # type: ignore[arg-type]

    def _identity(self) -> dict[str, Any]:
        """Data and parameters: what a checkpoint of this fit is a checkpoint of."""
        parts = {**self.get_params(deep=False), "random_state": self._seed}
        parts["trainer"] = self.trainer.with_params(checkpoint=None, progress=None)
        return {"X": self.fingerprint_["sha256"], **{name: pack(part) for name, part in parts.items()}}

    def _trained(self, member: Member, plan: object) -> None:
        """Take over what training left behind besides the weights."""
        self.history_rows_, self.lambdas_ = member.history, member.objective.lambdas
        self.kept_epoch_ = member.history[member.kept_at]["epoch"]
        kept = "no rows" if member.held_out is None else counted(len(member.held_out), "row")
        self.notes_.append(f"Trained on {counted(len(member.train), 'row')}, {kept} held out: {plan}.")
        if self.kept_epoch_ == 0 and member.history[-1]["epoch"] >= 1 and member.held_out is not None:
            self.notes_.append(
                "No epoch did better on held-out rows than the start, whose weights these are."
            )
        self.notes_ += member.notes

    def _finish_in_closed_form(self, rows: Rows, generator: torch.Generator) -> None:
        self.network_.eval()
        with torch.no_grad():
            terms = self._objective()(self.network_, rows.x, None, generator)
        self.history_rows_ = [{"epoch": 0.0, **{name: float(value) for name, value in terms.items()}}]
        self.notes_.append("Solved in closed form: a linear autoencoder with squared error is PCA.")

    # ---------------------------------------------------------------- using

    def transform(self, X: Any) -> NDArray[np.float32]:
        """The codes z of the rows of X: (n, n_components_) float32; a Source is read block by block."""
        self.must_be_fitted()
        found = [
            codes(self._applying(len(block.x)), block.x, self.n_components_)
            for block in encoded(self.schema_, X)
        ]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def inverse_transform(self, Z: Any) -> Any:
        """Codes Z (n, n_components_) back as data of the kind that was fitted: a DataFrame, an array."""
        self.must_be_fitted()
        return self.schema_.decode(self.inverse_encoded(Z))

    def inverse_encoded(self, Z: Any) -> NDArray[np.float32]:
        """The same as features (n, d), in the network's own units."""
        self.must_be_fitted()
        z = np.array(Z, dtype=np.float32)
        rule = f"be 2-D with {counted(self.n_components_, 'column')}"
        need(
            z.ndim == 2 and z.shape[1] == self.n_components_,
            "Z",
            rule,
            z.shape,
            "Use the output of transform",
        )
        return reconstructions(self._applying(len(z)), self.loss, self.schema_.layout, z)

    def reconstruct(self, X: Any) -> Any:
        """x_hat in the kind, columns, order and dtypes of X, gaps filled with what the code implies.

        Of a Source another Source, whose blocks are computed as they are read.
        """
        self.must_be_fitted()
        if _is_lazy(X):
            return X.map(self.reconstruct)
        return self.schema_.decode(self.reconstruct_encoded(X), like=X)

    def reconstruct_encoded(self, X: Any) -> NDArray[np.float32]:
        """x_hat (n, d) in the network's own units, beside `schema_.encode(X).x`."""
        self.must_be_fitted()
        parts = [
            rebuilt(self._applying(len(block.x)), self.loss, self.schema_.layout, block.x)
            for block in encoded(self.schema_, X)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def examine(
        self, x: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Codes (n, k), reconstructions (n, d) and cell errors (n, cells) of encoded rows x (n, d), as
        `schema_.encode` gives them, in one pass and in the network's own units.
        """
        self.must_be_fitted()
        return examined(self._applying(len(x)), self.loss, self.schema_.layout, x, self.n_components_)

    def singular_values(self, x: NDArray[np.float32], of: str = "reconstruction") -> NDArray[np.float64]:
        """Singular values (n, k) of the exact Jacobian at encoded rows x (n, d), largest first: how much
        x_hat, or with of="encoder" the code, moves when x does. Of numbers their squares sum to the
        contractive penalty.
        """
        self.must_be_fitted()
        need(
            of in ("reconstruction", "encoder"), "of", "be 'reconstruction' or 'encoder'", of, "Leave it out"
        )
        slopes = fetched("isthmus.slopes")
        found: NDArray[np.float64] = slopes.singular_values(
            self.network_, self.loss, self.schema_.layout, x, of
        )
        return found

    def transform_plain(self, X: Any) -> NDArray[np.float32]:
        """The codes as a plain array, whatever `set_output` asks of `transform`."""
        return type(self).transform.__wrapped__(self, X)  # type: ignore[attr-defined, no-any-return]

    def errors(self, X: Any) -> Any:
        """Reconstruction error of every cell, in the loss's units: (n, columns); missing cells are NaN.

        A DataFrame with the columns of X when X is one, otherwise an array; of a Source another Source. A
        row's loss is the sum over its cells.
        """
        self.must_be_fitted()
        if _is_lazy(X):
            return X.map(self.errors)
        cells = np.concatenate(list(self._cell_errors(X)))
        names = self.schema_.layout.names if self.schema_.named else None
        return as_frame_like(X, cells, names)

    def score(self, X: Any, y: None = None) -> float:
        """Minus the mean error per observed cell: 0 is perfect, higher is better."""
        self.must_be_fitted()
        mean = RunningMean()
        for cells in self._cell_errors(X):
            mean.add(cells)
        return -mean.value

    def _cell_errors(self, X: Any) -> Iterator[NDArray[np.float32]]:
        """The error of every cell, for one block after the other."""
        for block in encoded(self.schema_, X):
            cells = cell_errors(self._applying(len(block.x)), self.loss, self.schema_.layout, block.x)
            if block.observed is not None:
                cells[~block.observed] = np.nan
            yield cells

    @property
    def history_(self) -> Any:
        """Every term of the objective by look, as a DataFrame (a dict of lists where no DataFrame library
        is).
        """
        self.must_be_fitted()
        names = list(dict.fromkeys(name for row in self.history_rows_ for name in row))
        return as_frame_like(
            None, {name: [row.get(name, math.nan) for row in self.history_rows_] for name in names}
        )

    # ---------------------------------------------------------------- the pieces

    def _check_parameters(self) -> None:
        kinds = {
            "architecture": Architecture,
            "code": Code,
            "loss": Loss,
            "inputs": Inputs,
            "trainer": Trainer,
        }
        optional = {"corruption": Corruption, "penalty": Penalty}
        for name, kind in {**kinds, **optional}.items():
            value = getattr(self, name)
            if not (isinstance(value, kind) or (name in optional and value is None)):
                raise must(name, f"be a part of type {kind.__name__}", value, _instead(value, kind))
        self.trainer.check()
        if self.penalty is not None:
            self.penalty.check_weights()
        _check_seed(self.random_state)

    def _beside(self, rows: Rows | Stream, seen: Any) -> Rows:
        """The rows with what the encoder is shown in their place."""
        if not isinstance(rows, Rows):
            raise must("X", "fit in memory where noisy rows are given", "a larger source", "Use fewer rows")
        shown = torch.from_numpy(self.schema_.encode(self.schema_.source(seen)).x)
        return Rows(rows.x, rows.observed, None, rows._numbers, shown)

    def _resolve_components(self, layout: Layout, guarded: bool = False) -> int:
        """How many numbers the code has, or why it may not have so many."""
        k, width = self.n_components, layout.width
        if k == "auto":
            return math.ceil(math.sqrt(width))
        if k is not None and not (isinstance(k, (int, np.integer)) and not isinstance(k, bool) and k >= 1):
            raise must(
                "n_components", "be a whole number of at least 1, None or 'auto'", k, "Use n_components=8"
            )
        wide = self.architecture.code_width(layout) if k is None else int(k)
        guarded = guarded or self.corruption is not None or self.penalty is not None or self.code.sparse
        if not guarded and (k is None or wide > width):
            raise DataError(
                f"n_components must be less than the {width} numbers of a row, or nothing keeps the "
                f"autoencoder from copying; got {k}. Use a smaller n_components, a corruption, a penalty, or "
                "code=TopK(k)."
            )
        if not guarded and wide == width and width > 1:
            warnings.warn(
                f"n_components={wide} is as wide as the data: the autoencoder can copy. Use a smaller one.",
                UserWarning,
                stacklevel=4,
            )
        return wide

    @property
    def network_(self) -> Network:
        """The weights, as a torch module."""
        if "_network" not in self.__dict__:
            raise AttributeError("network_")
        with MADE:
            if isinstance(self._network, PlainNetwork):
                self._network = self._network.module()
        return self._network

    @network_.setter
    def network_(self, network: Network) -> None:
        self._network = network

    @property
    def n_weights_(self) -> int:
        """Number of weights and biases."""
        self.must_be_fitted()
        return self._network.size

    def state_dict(self) -> dict[str, Any]:
        """Weights and biases by name, tensors or arrays."""
        self.must_be_fitted()
        return self._network.state_dict()

    def _applying(self, rows: int) -> Network | PlainNetwork:
        """The network in the form that suits so many rows."""
        plain = type(self._network) is PlainNetwork
        return self.network_ if plain and not few_for(self._network, rows) else self._network

    def _build(self, plain: bool) -> Network | PlainNetwork:
        """A fresh network; as arrays where they are all that is needed."""
        layout = self.schema_.layout
        layers = dense_layers(self.architecture, layout) if plain else None
        if layers is None:
            return self._build_network()
        encoder, decoder = layers.plain(layout, self.n_components_, self._seed)
        return PlainNetwork(encoder, self.code, decoder)

    def _build_network(self) -> Network:
        from isthmus.networks import Network

        with isolated(self._seed):
            encoder, decoder = self.architecture.build(self.schema_.layout, self.n_components_)
        return Network(encoder, self.code, decoder)

    def _start(self, rows: Any) -> None:
        few = rows.first(max(1, START // self.schema_.layout.width)).gathered().x
        with contextlib.nullcontext() if isinstance(rows, PlainRows) else isolated(self._seed):
            self.architecture.start(self._network.encoder, self._network.decoder, few)  # type: ignore[arg-type]

    def _try_penalty(self, rows: Rows | Stream) -> None:
        """A penalty of the user's own on a few rows, so that a wrong value is told before training."""
        if self.penalty is None or all(_is_ours(term) for term in self.penalty.terms_by_name.values()):
            return
        few, generator = rows.first(8).gathered().x, torch.Generator().manual_seed(self._seed)
        network = copy.deepcopy(self.network_)  # a pass may change buffers
        with isolated(self._seed):
            trace = network.trace(few, few, self.schema_.layout, generator, self.penalty.layers)
            self.penalty.check_value(trace)

    def _objective(self) -> Objective:
        return Objective(self.schema_.layout, self.loss, self.penalty, self.corruption)

    def _is_pca(self) -> bool:
        """Whether the minimum is known: linear both ways, squared error on numbers, nothing else in the
        objective.
        """
        plain = self.penalty is None and self.corruption is None and isinstance(self.code, LinearCode)
        layout = self.schema_.layout
        unbounded = isinstance(self.loss, Deviance) and not layout.positive
        squared = layout.all_numeric and (unbounded or isinstance(self.loss, SquaredError))
        return plain and squared and isinstance(self.architecture, Linear)

    def _rows(self, X: Any, plain: bool = False, once: _Once | None = None) -> Any:
        """The rows for training; as arrays where numpy may and does train the model."""
        once, source = once or _Once(), self.schema_.source(X)
        if isinstance(source, Source):
            from isthmus.training import reading

            return once("rows", lambda: reading(source, self.schema_.encode, self.schema_.layout.width))
        encoded = once("encoded", lambda: self.schema_.encode(source))
        if plain and self._is_plain(len(encoded.x)):
            return once("plain rows", lambda: PlainRows(*encoded))
        return once("rows", lambda: Rows.of(*encoded))

    def _is_plain(self, rows: int) -> bool:
        """Whether numpy trains the model on so many rows."""
        train, k = rows - round(self.trainer.held_out * rows), self.n_components_
        return numpy_trains(self._objective(), self.architecture, self.code, k, self.trainer, train)

    def _generator(self) -> torch.Generator:
        passes = len(getattr(self, "history_rows_", ()))
        return torch.Generator().manual_seed(self._seed + passes)

    def _cell_namer(self, X: Any) -> Any:
        def name(row: int, cell: int) -> str:
            column = self.schema_.layout.cells[cell].name
            value = self.schema_.value(rows_of(X, [row]), 0, cell)
            return f"column {column!r}, row {row}, value {value!r}"

        return name

    def _note_features(self) -> None:
        names = self.schema_.names
        self.n_features_in_ = len(names)
        if self.schema_.named and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = isinstance(self.inputs, (Auto, Sparse))
        tags.transformer_tags.preserves_dtype = []
        return tags


def _is_ours(penalty: Penalty) -> bool:
    return type(penalty).__module__ == Penalty.__module__


def _instead(value: Any, kind: type) -> str:
    """What to write for a parameter that is no part."""
    called = isinstance(value, type) and issubclass(value, kind)
    return f"Use {value.__name__}() with parentheses" if called else f"See isthmus.{kind.__name__}"


def _check_seed(seed: Any) -> None:
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0
    made = seed is None or isinstance(seed, (np.random.RandomState, np.random.Generator))
    rule = "be a whole number of at least 0, None, a RandomState or a Generator"
    need(bool(whole or made), "random_state", rule, seed, "Use random_state=0")


def _is_lazy(X: Any) -> bool:
    """Whether rows are computed as X is read: those of a source, unless it is a folder of files."""
    return isinstance(X, Source) and not isinstance(X, Folder)


class _Once:
    """What is made of some data once, for all models that learn from them."""

    def __init__(self, known: dict[Any, Any] | None = None, *key: Any) -> None:
        self.known, self.key = {} if known is None else known, key

    def __call__(self, name: str, make: Callable[[], Any]) -> Any:
        if (*self.key, name) not in self.known:
            self.known[*self.key, name] = make()
        return self.known[*self.key, name]
