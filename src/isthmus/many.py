"""Many as one: several autoencoders of one shape trained as one batched program.

Ensembles, seeds, folds, noise levels, paths of lambda, sizes of the code: small networks that differ in
their weights, their rows or one number. Trained one after another they spend most of their time between the
products; side by side every product serves all of them. Each stops on its own held-out rows, and ends where
it would have ended alone: with the same bits where numpy trains models of one size, elsewhere but for the
rounding of a batched product, or of a code with zeros beside it. The kink of ReLU can make much of that.

>>> import numpy as np
>>> from isthmus import Autoencoder
>>> X = np.random.default_rng(0).normal(size=(200, 3)) @ np.random.default_rng(1).normal(size=(3, 8))
>>> models = fit_many([Autoencoder(3, random_state=seed) for seed in range(4)], X)
>>> len(models), models[0].transform(X).shape
(4, (200, 3))
"""

from __future__ import annotations

import copy
import itertools
import math
import threading
from collections.abc import Collection, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeAlias

from isthmus.autoencoder import Autoencoder
from isthmus.checks import must, need
from isthmus.nesting import narrowed, widened
from isthmus.networks import PlainNetwork
from isthmus.segments import threads
from isthmus.training import NUMPYS, Member, PlainMember

__all__ = ["alike", "fit_many"]

WORTH = 1_000_000  # multiplications in a layer's product beyond which one network keeps the machine busy
TOGETHER = 64  # models in one program at most
STATE = 400_000  # weights in one of torch's at most: beyond that company brings nothing more
SPACE = 1_500_000  # numbers a step of one of numpy's works on at most: many more leave a core's cache
ROWS_A_THREAD = 1024  # rows a step at least, of all models of a thread
MOST_AT_ONCE = 2  # threads: as many as were measured

Group: TypeAlias = Sequence[tuple[Autoencoder, Member]]


def fit_many(models: Sequence[Autoencoder], X: Any) -> list[Autoencoder]:
    """Fit several autoencoders; those of one shape are trained together. The same models, fitted, in order.

    Parameters
    ----------
    models : sequence of Autoencoder
        Alike in what shapes the program (architecture, code, loss, trainer, kinds of penalty) or not: those
        that are alike train together, others one by one, as do those whose penalties have a goal: the lambda
        that is looked for would make much of the last bit. They may differ in `random_state`, in the
        corruption, in the penalties' weights, in their rows, and in `n_components` where nothing but dense
        layers, a linear code and no penalty follow from it. A checkpoint is that of one program: those that
        train apart need paths of their own.
    X : data, or a list of as many data as there are models
        What each is fitted on; folds of equal length train together.

    Where numpy trains, and there are models enough, two threads train half of them each, with the same bits.

    Ctrl-C ends the training of those that are being trained, which keep their best weights; those whose turn
    would have come stay at their start.

    Raises
    ------
    DataError
        When the numbers of models and of data differ, or whatever `Autoencoder.fit` would raise.
    """
    several = isinstance(models, Collection)
    need(several, "models", "be a list of autoencoders", type(models).__name__, "Use [Autoencoder(4)]")
    for model in models:
        if not isinstance(model, Autoencoder):
            raise must("models", "be autoencoders", model, "Use a list of Autoencoder(...)")
    data = X if isinstance(X, list) else [X] * len(models)
    need(len(data) == len(models), "X", f"be one, or a list of {len(models)}", len(data), "Give one each")
    known: dict[Any, Any] = {}
    groups: dict[Hashable, list[tuple[Autoencoder, Member]]] = {}
    for model, rows in zip(models, data, strict=True):
        model._check_parameters()
        member = model._prepared(rows, known, plain=True)
        if member is not None:
            groups.setdefault(_shape(model, member), []).append((model, member))
    stop = threading.Event()
    for group in groups.values():
        at_once = _at_once(group)
        _in_threads(_programs(group, at_once), at_once, stop)
    return list(models)


def alike(models: Sequence[Autoencoder], X: Any) -> bool:
    """Whether `fit_many` would train them on X as one program; they are left as they are."""
    copies, known = [copy.copy(model) for model in models], dict[Any, Any]()
    members = [(model, model._prepared(X, known, plain=True)) for model in copies]
    shapes = {None if member is None else _shape(model, member) for model, member in members}
    return len(shapes) == 1


def _leave(group: Group) -> None:
    """Models whose turn comes after Ctrl-C stay at their start."""
    for model, member in group:
        member.network.eval()
        member.history.append({"epoch": 0.0})
        member.notes.append("Interrupted before its turn: not trained.")
        model._trained(member, model.trainer.plan(len(member.train)))


def _in_threads(programs: Sequence[Group], at_once: int, stop: threading.Event) -> None:
    """Train programs, so many at a time; those of this thread draw a bar. Ctrl-C, or an error, ends all."""

    def share(number: int) -> None:
        try:
            for group in programs[number::at_once]:
                if stop.is_set():
                    _leave(group)
                else:
                    _train(group, stop, beside=number > 0)
                if any(member.interrupted for _, member in group):
                    stop.set()
        except BaseException:
            stop.set()
            raise

    if at_once == 1:
        share(0)
        return
    waiting = False
    with NUMPYS, ThreadPoolExecutor(at_once - 1) as pool:  # here: the limit is set and lifted by one thread
        try:
            others = [pool.submit(share, number) for number in range(1, at_once)]
            share(0)
            waiting = True
            while wait(others, timeout=0.1).not_done:  # Windows hears Ctrl-C only between waits
                pass
        except BaseException as error:
            stop.set()
            if not (waiting and isinstance(error, KeyboardInterrupt)):
                raise
    for other in others:
        other.result()


def _train(group: Group, stop: threading.Event, beside: bool) -> None:
    """One program for a group of one shape; numpy's draws no bar beside another one, and ends with `stop`."""
    first, widest = group[0][0], max(model.n_components_ for model, _ in group)
    for model, member in group:
        member.network = widened(model, widest)
    plan = first._train([member for _, member in group], [model for model, _ in group], stop, beside)
    for model, member in group:
        if member.network is not model._network:
            network = narrowed(model._network, member.network)
            if not isinstance(network, PlainNetwork):
                network.to(member.network.memory.device).eval()
            model._network = network
        model._trained(member, plan)


def _programs(group: Group, at_once: int) -> list[Group]:
    """The group in parts of like size, each for one program; as many for every thread."""
    least = math.ceil(len(group) / _together(*group[0], at_once))
    count = min(len(group), at_once * math.ceil(least / at_once))
    ends = [-(-len(group) * i // count) for i in range(count + 1)]
    return [group[start:end] for start, end in itertools.pairwise(ends)]


def _at_once(group: Group) -> int:
    """How many programs at a time: numpy lets others work meanwhile, where its calls are long enough."""
    model, member = group[0]
    if not isinstance(member, PlainMember):
        return 1
    return max(1, min(MOST_AT_ONCE, threads(), len(group) * _batch(model, member) // ROWS_A_THREAD))


def _together(model: Autoencoder, member: Member, at_once: int) -> int:
    """How many networks of this size to train in one program at most.

    Twice as many where two run at a time: fewer and longer calls wait less often for their turn in Python.
    """
    if not isinstance(member, PlainMember):
        return max(2, min(TOGETHER, STATE // max(1, member.network.size)))
    network: PlainNetwork = member.network
    widths = sum(network.encoder.widths) + sum(network.decoder.widths)
    numbers = 5 * network.size + 3 * widths * _batch(model, member)
    return max(2, min(TOGETHER, SPACE * at_once // numbers))


def _batch(model: Autoencoder, member: Member) -> int:
    """Rows a step."""
    return model.trainer.plan(len(member.train)).batch_size


def _shape(model: Autoencoder, member: Member) -> Hashable:
    """What must be equal for two members to train together; unique where company brings a network nothing."""
    small = _batch(model, member) * member.network.largest <= WORTH
    if not (small if isinstance(member, PlainMember) else _batches(member, small)):
        return id(model)
    named = member.objective.terms_by_name.items()
    if any(term.goal is not None for _, term in named):
        return id(model)
    terms = tuple((name, repr(term.bare)) for name, term in named)
    held_out = -1 if member.held_out is None else len(member.held_out)
    parts = (model.architecture, model.code, model.loss, model.trainer)
    size = None if _widens(model) else model.n_components_
    return (type(member), model.schema_.layout, size, len(member.train), held_out, terms, *map(repr, parts))


def _batches(member: Member, small: bool) -> bool:
    """Whether torch trains several such members as one program, and company brings them something."""
    from isthmus.training import completes, suits

    return completes([member]) or (small and suits(member))


def _widens(model: Autoencoder) -> bool:
    """Whether more numbers at zero would change nothing, and cost little: those of the code are few."""
    network: Any = model._network
    hidden = min(network.encoder.widths[:-1], default=0) if hasattr(network.encoder, "widths") else 0
    return network.code.transparent and model.penalty is None and model.n_components_ <= hidden
