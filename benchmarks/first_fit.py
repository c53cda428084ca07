"""What a first fit costs: CPU seconds of whole fresh processes, Python's start, imports and data included.

2,000 x 30 numbers, d-256-64-16-64-256-d, 20 epochs in batches of 128, one thread, contenders in turns. Where
isthmus runs from its sources they are compiled before, as pip has done for whatever it installed.
"""

from __future__ import annotations

import compileall
import statistics
from pathlib import Path

import isthmus
from contenders import Job, run
from measuring import REPEATS, arguments, in_turns, python, ratios, say, spread, table, verdict

NAMES = ("isthmus", "isthmus, its own net", "PyOD", "MLPRegressor", "torch, DataLoader", "torch, slices")
ROUNDS = REPEATS + 1  # the first warms the disk


def main() -> None:
    """Print a line a contender."""
    job = Job(2000, 30, 128, 2 if arguments(__doc__).small else 20)
    compileall.compile_dir(Path(isthmus.__file__).parent, quiet=1)
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    memory, why = {}, {}
    for turn in range(ROUNDS):
        for place in range(len(NAMES)):
            name = NAMES[(turn + place) % len(NAMES)]
            if name in why:
                continue
            _, ended = run(name, job, cold=True)
            if ended.status:
                why[name] = ended.why
                continue
            say(f"{name}: {ended.cpu:.2f} CPU-s")
            if turn:
                found[name].append(ended.cpu)
                memory[name] = f"{ended.megabytes:,.0f}"
    rows = []
    for name in NAMES:
        if name in why:
            rows.append((name, why[name], "", ""))
            continue
        against = ratios(found[name], found["isthmus"])
        rows.append((name, spread(found[name]), spread(against), memory[name]))
    floors = in_turns(
        {name: (lambda name=name: python(f"import {name}").cpu) for name in ("torch", "sklearn.base")}
    )
    rows += [
        (f"`import {name}`, and nothing else", spread(values), "", "") for name, values in floors.items()
    ]
    table(["first fit", "CPU seconds", "times isthmus", "peak MB"], rows)
    for name, bar in (("PyOD", 10.0), ("MLPRegressor", 1.0), ("torch, DataLoader", 1.0)):
        if name not in why and "isthmus" not in why:
            value = statistics.median(ratios(found[name], found["isthmus"]))
            print(f"- CPU seconds of {name} over isthmus's:", verdict(value, bar))


if __name__ == "__main__":
    main()
