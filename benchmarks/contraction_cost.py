"""What the contractive penalty costs: CPU seconds of a training step with it over one without.

One thread. Nets: 30-64-16-4-16-64-30 at batch 128, 784-256-64-16-64-256-784 at batch 256, and the textbook's
single sigmoid layer with tied weights, 784-128-784 at batch 256. Both steps are differentiated by torch.
"""

from __future__ import annotations

import torch

from isthmus import Contraction, Penalty, SigmoidCode, SiLU
from measuring import arguments, in_turns, ratios, say, spread, table
from steps import Net, batches, cpu_a_call, stepper

PENALTIES: dict[str, Penalty | None] = {
    "none": None,
    "encoder": Contraction("encoder"),
    "encoder, exact": Contraction("encoder", exact=True),
    "reconstruction": Contraction(),
    "reconstruction, exact": Contraction(exact=True),
}
NETS = {
    "30 columns, 3 layers": (Net(30, (64, 16), 4, activation=SiLU()), 128),
    "784 columns, 3 layers": (Net(784, (256, 64), 16, activation=SiLU()), 256),
    "784 columns, 1 tied sigmoid layer": (Net(784, (), 128, SigmoidCode(), tied=True), 256),
}


def main() -> None:
    """Print a table of ratios."""
    seconds = 0.05 if arguments(__doc__).small else 0.5
    torch.set_num_threads(1)
    penalised = [label for label in PENALTIES if label != "none"]
    rows = []
    for name, (net, batch) in NETS.items():
        say(name)
        work = {}
        for label, penalty in PENALTIES.items():
            run = stepper(net, batch, penalty, general=True)
            feed = batches(run)
            work[label] = lambda run=run, feed=feed: cpu_a_call(lambda: run.step(next(feed)), seconds)
        found = in_turns(work)
        rows.append([name, *(spread(ratios(found[label], found["none"])) for label in penalised)])
    table(["step with the penalty / without", *penalised], rows)


if __name__ == "__main__":
    main()
