"""Checkpoints: training that survives `kill -9`, and goes on as if nothing had happened.

Everything a step reads is in the file: weights, the optimiser's moments, the generators, the place in the
plan, each member's best weights and its history. Batches are ordered by epoch from the seed, so the place
is one number. Files are written to a temporary name and renamed, so there is always a whole one. They are
written between rounds, no oftener than lets nineteen twentieths of the time go to training.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from isthmus.checks import FileError, brief
from isthmus.parts import pack, unpack
from isthmus.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from isthmus.training.loop import Run
    from isthmus.training.member import Member

__all__ = ["Checkpoint"]

SHARE = 20  # times as long as writing took, training goes on before the next
FACTS = ["history", "notes", "best", "missed", "idle", "kept_at", "steering", "usual_norm", "slowed"]


class Checkpoint:
    """Where a run is written to and read from; `identity` says of which data and parameters, model by model,
    as values that JSON can hold.
    """

    def __init__(self, path: str, identity: Sequence[Any]) -> None:
        self.path, self.identity = Path(path), list(identity)
        self.due = 0.0

    def write(self, run: Run, at_end: bool = False) -> None:
        """Write the run between two rounds, if it is time."""
        started = time.perf_counter()
        if started < self.due and not at_end:
            return
        header = {"kind": "Checkpoint", "identity": self.identity, "step": run.step_number}
        header["counts"] = run.adam.counts
        header["members"] = [{name: pack(getattr(m, name)) for name in FACTS} for m in run.members]
        tensors = {**_of_run(run), "torch": torch.get_rng_state()}
        for number, member in enumerate(run.members):
            for part, found in _of_member(member).items():
                tensors.update({f"{number}|{part}|{name}": tensor for name, tensor in found.items()})
        write_sealed(self.path, tensors, header)
        now = time.perf_counter()
        self.due = now + SHARE * (now - started)

    def read(self, run: Run) -> bool:
        """Bring a fresh run to where the file's was; False where there is no file yet.

        Raises FileError for a file that is damaged, or of another fit.
        """
        self._sweep()
        if not self.path.exists():
            return False
        repair = "If it was a checkpoint, delete it; else use another path."
        header, tensors = read_sealed(self.path, "Checkpoint", repair=repair)
        changed = self._changed(header.get("identity"))
        if changed:
            raise FileError(
                f"checkpoint {str(self.path)!r} must be of the same data and parameters; got one of a fit "
                f"with another {' and another '.join(changed)}. Delete it, or use another path."
            )
        try:
            self._restore(run, header, tensors)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            text = brief(str(error))
            raise FileError(f"{self.path} is not a checkpoint of this fit: {text}. Delete it.") from None
        return True

    def _changed(self, found: Any) -> list[str]:
        """What a file's identity says otherwise, by its names."""
        if not isinstance(found, list):
            return ["version of isthmus"]
        if len(found) != len(self.identity):
            return ["number of models"]
        pairs = zip(found, self.identity, strict=True)
        return list(dict.fromkeys(name for pair in pairs for name in differing(*pair)))

    def _restore(self, run: Run, header: dict[str, Any], tensors: dict[str, Any]) -> None:
        for name, tensor in _of_run(run).items():
            tensor.copy_(torch.as_tensor(tensors[name]))
        run.step_number, run.adam.counts = int(header["step"]), [int(count) for count in header["counts"]]
        for number, (member, facts) in enumerate(zip(run.members, header["members"], strict=True)):
            for name in FACTS:
                value = unpack(facts[name], {})
                setattr(member, name, list(value) if isinstance(value, tuple) else value)
            for part, found in _of_member(member).items():
                for name, tensor in found.items():
                    tensor.copy_(torch.as_tensor(tensors[f"{number}|{part}|{name}"]))
            member.generator.set_state(torch.as_tensor(tensors[f"{number}|generator|state"]))
        torch.set_rng_state(torch.as_tensor(tensors["torch"]))

    def _sweep(self) -> None:
        """Remove what a killed process left half written."""
        for left in self.path.parent.glob(f".{self.path.name}.*.part"):
            with contextlib.suppress(OSError):
                left.unlink()


def differing(one: Any, other: Any, name: str = "") -> list[str]:
    """The parameters in which two identities differ, by the names that scikit-learn would give them.

    >>> differing({"lr": 1, "net": {"is": "MLP", "depth": 2}}, {"lr": 1, "net": {"is": "MLP", "depth": 3}})
    ['net__depth']
    """
    alike = isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys()
    if not alike or one.get("is") != other.get("is") or one.get("is") in ("dict", "float"):
        return [] if one == other else [name or "set of parameters"]
    below = f"{name}__" if name else ""
    return [found for key in one for found in differing(one[key], other[key], below + key)]


def _of_run(run: Run) -> dict[str, Tensor]:
    found = {"weights": run.flat.weights, "first": run.adam.first, "second": run.adam.second}
    return found if run.average is None else {**found, "average": run.average.mean}


def _of_member(member: Member) -> dict[str, dict[str, Tensor]]:
    """A member's own tensors, live where they can be copied into."""
    buffers = dict(member.network.named_buffers())
    return {"kept": member.kept, "buffer": buffers, "generator": {"state": member.generator.get_state()}}
