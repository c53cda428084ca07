"""What the contractive penalty costs: CPU seconds of a training step with it over one without.

One thread, median of 5 blocks in which the variants take turns. Nets: 30-64-16-4-16-64-30 at batch 128,
784-256-64-16-64-256-784 at batch 256, and the textbook's single sigmoid layer with tied weights,
784-128-784 at batch 256.
"""

from __future__ import annotations

import statistics
import time

import torch

from isthmus import MLP, Code, Contraction, Deviance, LinearCode, Penalty, SigmoidCode
from isthmus.networks import Network
from isthmus.objective import Objective
from isthmus.parts import Layout
from isthmus.training.differentiated import DifferentiatedStep
from isthmus.training.loop import Run
from isthmus.training.member import Member
from isthmus.training.plan import make_plan
from isthmus.training.rows import Rows

PENALTIES: dict[str, Penalty | None] = {
    "none": None,
    "encoder": Contraction("encoder"),
    "encoder, exact": Contraction("encoder", exact=True),
    "reconstruction": Contraction(),
    "reconstruction, exact": Contraction(exact=True),
}
DEEP_30, DEEP_784 = MLP((64, 16), from_pca=False), MLP((256, 64), from_pca=False)
NETS: dict[str, tuple[int, MLP, Code, int, int, int]] = {
    "30 columns, 3 layers": (30, DEEP_30, LinearCode(), 4, 128, 200),
    "784 columns, 3 layers": (784, DEEP_784, LinearCode(), 16, 256, 30),
    "784 columns, 1 tied sigmoid layer": (784, MLP((), tied=True), SigmoidCode(), 128, 256, 30),
}


def stepper(d: int, architecture: MLP, code: Code, k: int, batch: int, penalty: Penalty | None) -> Run:
    """A run ready to take steps."""
    torch.manual_seed(0)
    encoder, decoder = architecture.build(Layout.numeric(d), k)
    rows = Rows(torch.randn(batch, d))
    objective = Objective(Layout.numeric(d), Deviance(), penalty)
    plan = make_plan(batch, batch, 10**6, None, None)
    member = Member(Network(encoder, code, decoder), objective, rows, None, torch.Generator())
    run = Run([member], plan)
    run.differentiate = DifferentiatedStep(run.members, run.flat, bf16=False)  # like beside like
    return run


def seconds(run: Run, steps: int) -> float:
    """CPU seconds of some steps."""
    batch = [run.members[0].train.gathered()]
    start = time.process_time()
    for _ in range(steps):
        run.step(batch)
    return time.process_time() - start


def main() -> None:
    """Print a table of ratios."""
    torch.set_num_threads(1)
    penalised = [label for label in PENALTIES if label != "none"]
    print(f"| step with the penalty / without | {' | '.join(penalised)} |")
    print("|---|" + "---|" * len(penalised))
    for name, (d, architecture, code, k, batch, steps) in NETS.items():
        runs = {label: stepper(d, architecture, code, k, batch, p) for label, p in PENALTIES.items()}
        for run in runs.values():
            seconds(run, steps // 5)
        blocks = [{label: seconds(run, steps) for label, run in runs.items()} for _ in range(5)]
        ratios = [statistics.median(block[label] / block["none"] for block in blocks) for label in penalised]
        print(f"| {name} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")


if __name__ == "__main__":
    main()
