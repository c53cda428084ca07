"""The replayed step: on a CUDA device a dense step is recorded once, as a graph, and launched as one.

A step of these nets is some fifty kernels of a few microseconds each, and calling them one by one takes the
processor several times as long as the device needs to run them. What is drawn at random - the noise of a
corruption - is drawn before and handed in; what looks at a value on the way cannot be recorded, and neither
can what a user wrote, of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isthmus.codes import LinearCode, ReLUCode, SigmoidCode
from isthmus.training.dense import DenseStep
from isthmus.training.flat import Flat
from isthmus.training.member import Member
from isthmus.training.written import Generators

__all__ = ["ReplayedStep", "replays"]

RECORDED_AFTER = 20  # steps on batches of a shape: recording takes as long as some hundred of them


def replays(members: Sequence[Member]) -> bool:
    """Whether a dense step of these members can be recorded: on a CUDA device, of parts known by heart."""
    network, objective = members[0].network, members[0].objective
    if not network.memory.is_cuda or type(network.code) not in (LinearCode, ReLUCode, SigmoidCode):
        return False
    activations = [network.encoder.activation, network.decoder.activation]
    parts: list[Any] = [*activations, objective.loss, *objective.terms_by_name.values()]
    return all(type(part).__module__.partition(".")[0] == "isthmus" for part in parts)


class _Record(NamedTuple):
    """A graph, where it reads its inputs, and the terms that it writes."""

    graph: Any
    inputs: list[Tensor | None]
    terms: dict[str, Tensor]


class ReplayedStep(DenseStep):
    """Fills `flat.grads` as the dense step does. The terms it returns hold until it is called again."""

    def __init__(self, members: Sequence[Member], flat: Flat, bf16: bool) -> None:
        super().__init__(members, flat, bf16)
        self.met: dict[Any, int] = {}
        self.records: dict[Any, _Record] = {}
        self.refused = False  # another thread used the device while a step was being recorded

    def filled(
        self, x: Tensor, x_tilde: Tensor, observed: Tensor | None, generators: Generators
    ) -> dict[str, Tensor]:
        """As it is for the first batches of a shape, then from the record."""
        given = [x, x_tilde, observed]
        shape = tuple(None if tensor is None else tensor.shape for tensor in given)
        self.met[shape] = self.met.get(shape, 0) + 1
        if self.refused or self.met[shape] <= RECORDED_AFTER:
            return super().filled(x, x_tilde, observed, generators)
        try:
            record = self.records.get(shape) or self._recorded(shape, given, generators)
        except RuntimeError:
            self.refused = True
            return super().filled(x, x_tilde, observed, generators)
        for place, tensor in zip(record.inputs, given, strict=True):
            if place is not None and tensor is not None:
                place.copy_(tensor)
        record.graph.replay()
        return record.terms

    def _recorded(self, shape: Any, given: Sequence[Tensor | None], generators: Generators) -> _Record:
        places: list[Any] = [None if tensor is None else tensor.clone() for tensor in given]
        graph, device = torch.cuda.CUDAGraph(), self.flat.weights.device
        aside = torch.cuda.Stream(device)
        with (
            torch.cuda.device(device),
            torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"),
        ):
            x, x_tilde, observed = places
            terms = super().filled(x, x_tilde, observed, generators)
        self.records[shape] = _Record(graph, places, terms)
        return self.records[shape]
