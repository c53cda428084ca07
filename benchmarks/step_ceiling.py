"""How near a training step comes to its matrix products alone, and where the rest of it goes.

Ceiling: the forward and backward products of the net in float32, into memory that is there already, and
nothing else. A step: gather a batch, objective and gradients, clip, update. "Dense" is the step written out
by hand, "general" the one that torch differentiates. CPU seconds on one thread, in turns; shares over 1 mean
that bf16 is faster than the float32 products. The profile gives the stages as each is timed on its own, then
every operator's own time under torch's profiler, which itself costs about a microsecond a call.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import Any

import torch

from isthmus.training.plain import PlainEngine
from measuring import arguments, in_turns, ratios, say, spread, table, verdict
from steps import NETS, Net, batches, cpu_a_call, products, stepper

STEPS = {
    "dense": {},
    "general": {"general": True},
    "dense, bf16": {"bf16": True},
    "general, bf16": {"general": True, "bf16": True},
}
BARS = {
    ("a", 1024, "dense"): (0.75, 0.9),
    ("a", 1024, "dense, bf16"): (1.3, None),
    ("b", 128, "dense"): (0.15, 0.3),
}
KINDS = {
    "matrix products": "mm addmm bmm baddbmm",
    "sums over rows (biases), dot products, norms": "sum dot mean linalg_vector_norm",
    "the optimiser": "_fused_adam_",
    "gathering the batch": "index_select index randperm split",
    "copies, casts, new memory": "copy_ to _to_copy contiguous clone empty empty_strided empty_like zeros "
    "zeros_like fill_ zero_ item _local_scalar_dense lift_fresh detach_ resolve_conj resolve_neg",
    "views": "view _unsafe_view t mT transpose reshape as_strided select slice narrow expand detach "
    "unsqueeze squeeze unbind",
}
KIND_OF = {f"aten::{word}": kind for kind, words in KINDS.items() for word in words.split()}


def shares(seconds: float) -> None:
    """The table of shares."""
    lines = []
    judged = []
    for name, net in NETS.items():
        for batch in (128, 1024):
            say(f"{net}, batch {batch}")
            work = {"ceiling": _timed(products(net.widths, batch), seconds)}
            for label, options in STEPS.items():
                run = stepper(net, batch, **options)
                feed = batches(run)
                work[label] = _timed(lambda run=run, feed=feed: run.step(next(feed)), seconds)
            found = in_turns(work)
            share = {label: ratios(found["ceiling"], found[label]) for label in STEPS}
            rate = batch / statistics.median(found["ceiling"])
            lines.append([f"({name}) {net}", batch, f"{rate:,.0f}", *map(spread, share.values())])
            for label, values in share.items():
                if (name, batch, label) in BARS:
                    word = verdict(statistics.median(values), *BARS[name, batch, label])
                    judged.append(f"- ({name}), batch {batch}, {label}: {word}")
    table(["net", "batch", "products alone, rows per CPU-second", *STEPS], lines)
    print("\n".join(judged), "\n", flush=True)


def _timed(work: Any, seconds: float) -> Any:
    return lambda: cpu_a_call(work, seconds)


def profile(net: Net, batch: int, seconds: float) -> None:
    """Stages, then operators, of the dense step."""
    say(f"profile of {net}, batch {batch}")
    run = stepper(net, batch)
    feed = batches(run)
    some = next(feed)
    for _ in range(20):
        run.step(next(feed))
    print(f"### One step of {net}, batch {batch}\n")
    stages = {
        "the whole step": lambda: run.step(next(feed)),
        "gather a batch": lambda: next(feed),
        "objective and gradients": lambda: run.differentiate(some),
        "of it the matrix products": products(net.widths, batch),
        "norm of the gradient": lambda: run.flat.norms(),
        "update": lambda: run.adam.step([0.0]),  # at a rate of 0, as the gradient stays what it is
    }
    micro = in_turns({name: _timed(work, seconds) for name, work in stages.items()})
    whole = micro["the whole step"]
    lines = []
    for name, values in micro.items():
        lines.append([name, spread([1e6 * v for v in values], 1), spread(ratios(values, whole))])
    table(["stage", "microseconds", "of the step"], lines)
    if isinstance(run.engine, PlainEngine):
        print("numpy alone takes this step: torch's profiler has nothing to say of it.\n")
        return
    operators(run, feed, statistics.median(whole), 20 if seconds < 0.2 else 100)


def operators(run: Any, feed: Any, seconds: float, steps: int) -> None:
    """Time by kind of operator, and what merely calling so many operators costs."""
    for _ in range(2):  # the first time the profiler is still setting itself up
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
            for _ in range(steps):
                run.step(next(feed))
    calls: dict[str, float] = defaultdict(float)
    micro: dict[str, float] = defaultdict(float)
    for event in seen.events():
        kind = KIND_OF.get(event.key, "elementwise")
        calls[kind] += (event.cpu_parent is None) / steps  # what an operator calls in turn is its own affair
        micro[kind] += event.self_cpu_time_total / steps
    total = sum(micro.values())
    order = sorted(micro, key=lambda kind: -micro[kind])
    table(
        ["kind of operator", "calls a step", "microseconds (profiler on)", "share"],
        [[k, f"{calls[k]:.1f}", f"{micro[k]:.1f}", f"{micro[k] / total:.2f}"] for k in order],
    )
    one = torch.ones(1)
    empty = 1e6 * cpu_a_call(lambda: torch.mul(one, one, out=one), 0.05)
    direct = sum(calls[kind] for kind in calls if kind != "views")
    print(
        f"The operators' own times add up to {total:.0f} microseconds with the profiler on; a step without "
        f"it takes {1e6 * seconds:.0f}, and what is between the operators is Python.\n"
    )
    print(
        f"Called on a single number, an operator costs {empty:.2f} microseconds. The {direct:.0f} calls of a "
        f"step that are not views thus cost {empty * direct:.0f} of its {1e6 * seconds:.0f} microseconds "
        "before they compute anything; less can only be had with fewer calls.\n",
        flush=True,
    )


def main() -> None:
    """Shares, then two profiles."""
    seconds = 0.05 if arguments(__doc__).small else 0.5
    torch.set_num_threads(1)
    shares(seconds)
    profile(NETS["b"], 128, seconds)
    profile(NETS["a"], 1024, seconds)


if __name__ == "__main__":
    main()
