"""A fitted anomaly detector as one torch module, to be traced: scores, p-values and who is flagged.

What the detectors do in numpy is spelled once more here, because only torch's own operations can be written
as a graph; `checked` holds the two against each other before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.checks import DataError, must
from isthmus.exporting.checking import check_rows
from isthmus.exporting.columns import fitted_schema, split_columns
from isthmus.exporting.graph import reader_of

__all__ = ["OUTPUTS", "DetectorModule", "checked", "refuse_unwritable"]

OUTPUTS = ("score", "p_value", "flagged")
SCORES = ("NearFar", "CellErrors")
LIMIT = 1e-5  # of a score, or absolutely where it is below 1


def refuse_unwritable(detector: Any) -> None:
    """Raise DataError for a detector that no graph can hold."""
    for model in detector.models_:
        if not hasattr(model, "network_"):
            raise must("model", "be an Autoencoder to be exported", type(model).__name__, "Use Autoencoder")
    if type(detector.anomaly_score).__name__ not in SCORES:
        got = type(detector.anomaly_score).__name__
        raise must("anomaly_score", f"be one of {', '.join(SCORES)} to be exported", got, "Use NearFar()")
    if len(detector.models_) > 1 and split_columns(fitted_schema(detector.models_[0]))[1]:
        raise must(
            "folds", "be 1 to export a detector of columns of text", len(detector.models_), "Fit again"
        )


class DetectorModule(nn.Module):
    """All judges and the calibration: inputs -> score (n,), p_value (n,), flagged (n,)."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.judges = nn.ModuleList(
            _Judge(model, judge.reader, judge.learned)
            for model, judge in zip(detector.models_, detector._panel.judges, strict=True)
        )
        calibration = detector.calibration_
        self.calibration = nn.Parameter(_double(calibration.scores), requires_grad=False)
        weights = np.asarray(calibration.weights or np.ones(calibration.rows))
        tail = np.append(np.cumsum(weights[::-1])[::-1], 0.0)  # the weight from each place on
        self.tail = nn.Parameter(_double(tail), requires_grad=False)
        self.threshold = -float(detector.offset_)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Higher scores are stranger."""
        score = torch.stack([judge(*inputs) for judge in self.judges]).mean(0)
        p_value = (1 + self.tail[self._place(score)]) / (1 + self.tail[0])
        return score, p_value, score > self.threshold

    def _place(self, score: Tensor) -> Tensor:
        """How many calibration scores are lower: a binary search, spelled as steps that every runtime has."""
        rows = len(self.calibration)
        low, high = (
            torch.zeros_like(score, dtype=torch.int64),
            torch.full_like(score, rows, dtype=torch.int64),
        )
        for _ in range(rows.bit_length()):
            middle = (low + high) // 2
            lower = (self.calibration[middle.clamp(max=rows - 1)] < score) & (middle < high)
            low, high = torch.where(lower, middle + 1, low), torch.where(lower, high, middle)
        return low


class _Judge(nn.Module):
    """One model and what the score learned: inputs -> scores (n,)."""

    def __init__(self, model: Any, reader: Any, learned: Any) -> None:
        super().__init__()
        schema = fitted_schema(model)
        self.reader = reader_of(schema)
        self.network, self.loss, self.layout = model.network_, model.loss, schema.layout
        cells = schema.layout.cells
        self.starts = [cell.start for cell in cells]
        self.single = torch.tensor([cell.width == 1 for cell in cells])
        self.home = [j for j, cell in enumerate(cells) for _ in range(cell.width)]
        self.fills = 0 if schema.layout.gaps else reader.rounds
        state = learned.state()
        self.learned = _Errors(state) if set(state) == {"usual"} else _NearFar(learned, state)

    def forward(self, *inputs: Tensor) -> Tensor:
        x, missing = self.reader(*inputs)
        unseen = missing[:, self.home]
        for _ in range(self.fills):
            x = torch.where(unseen, self._look(x)[1], x)
        z, x_hat, cells = self._look(x)
        cells = cells.masked_fill(missing, 0.0)
        x_hat = torch.where(unseen, x, x_hat)
        residual = torch.where(self.single, (x - x_hat)[:, self.starts], torch.sqrt(cells.clamp(min=0.0)))
        scores: Tensor = self.learned(residual.double(), z.double(), cells.double())
        return scores

    def _look(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = self.network.encode(x)
        output = self.network.decode(z)
        return z, self.loss.link(output, self.layout), self.loss(x, output, self.layout)


class _Errors(nn.Module):
    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__()
        self.usual = nn.Parameter(_double(state["usual"]), requires_grad=False)

    def forward(self, residual: Tensor, z: Tensor, cells: Tensor) -> Tensor:
        return (cells / self.usual).sum(1)


class _NearFar(nn.Module):
    rows: Tensor
    spacing: Tensor
    whole_mean: Tensor
    core_mean: Tensor

    def __init__(self, learned: Any, state: dict[str, Any]) -> None:
        super().__init__()
        self.neighbours, self.same, self.soft = learned.neighbours, learned.same, learned.soft
        for name, values in state.items():
            self.register_parameter(
                name.replace(".", "_"), nn.Parameter(_double(values), requires_grad=False)
            )
        self.lambdas, self.scales = state["weights"].tolist(), state["usual"].tolist()

    def forward(self, residual: Tensor, z: Tensor, cells: Tensor) -> Tensor:
        joint = torch.cat([residual, z], 1)
        near, around, far = self.lambdas
        terms = []
        if near:
            pairs = zip((near, around), self._near(joint), strict=True)
            terms += [w * torch.log(distances / self.scales[0] + self.soft) for w, distances in pairs]
        if far:
            terms.append(far * torch.log(self._far(joint) / self.scales[1] + self.soft))
        return torch.stack(terms).sum(0)

    def _near(self, joint: Tensor) -> tuple[Tensor, Tensor]:
        white, rows = self._whitened("whole", joint - self.whole_mean), self.rows
        squares = (white**2).sum(1, keepdim=True) + (rows**2).sum(1) - 2 * white @ rows.T
        count = min(self.neighbours + 1, len(rows))
        found = torch.topk(squares.clamp(min=0.0), count, dim=1, largest=False)
        d, spacing = torch.sqrt(found.values), self.spacing[found.indices]
        if count == 1:
            return d[:, 0], spacing[:, 0]
        own = d[:, 0] < self.same * self.scales[0]
        near, around = (torch.where(own, of[:, 1:].mean(1), of[:, :-1].mean(1)) for of in (d, spacing))
        return near, around

    def _far(self, joint: Tensor) -> Tensor:
        return torch.sqrt(self._whitened("core", joint - self.core_mean).pow(2).mean(1))

    def _whitened(self, name: str, centred: Tensor) -> Tensor:
        whitener: Tensor = getattr(self, f"{name}_whitener")
        white = centred @ whitener
        if not hasattr(self, f"{name}_gains"):
            return white
        gains, rest = getattr(self, f"{name}_gains"), getattr(self, f"{name}_rest") * centred
        whitened: Tensor = rest + (white * gains) @ whitener.T
        return whitened


def _double(values: Any) -> Tensor:
    return torch.tensor(np.asarray(values, dtype=np.float64))


def checked(detector: Any, run: Callable[[Any], dict[str, Any]], rows: Any = None) -> float:
    """The largest difference of scores between `run` and the detector, if small enough; p-values and flags
    must be those of the scores.
    """
    X = check_rows(fitted_schema(detector.models_[0])) if rows is None else rows
    wanted, got = -detector.score_samples(X), run(X)
    found = float((np.abs(got["score"] - wanted) / np.maximum(1.0, np.abs(wanted))).max())
    p = detector.calibration_.p_values(got["score"])
    agree = np.allclose(got["p_value"], p) and bool(
        (got["flagged"] == (got["score"] > -detector.offset_)).all()
    )
    if not (found <= LIMIT and agree):
        raise DataError(
            f"the exported detector must match the detector to {LIMIT:g}; got a difference of {found:.2g}. "
            "Nothing was written: use isthmus.save, and report it."
        )
    return found
