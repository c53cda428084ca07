"""What `import isthmus` costs beside `import torch`: CPU seconds of whole processes, Python's own start
taken off.
"""

from __future__ import annotations

import statistics

from measuring import arguments, in_turns, python, ratios, spread, table, verdict

IMPORTS = ("isthmus", "torch", "isthmus.autoencoder", "sklearn.base")


def main() -> None:
    """Print the ratio."""
    arguments(__doc__)
    work = {"": lambda: python("pass").cpu}
    work |= {name: (lambda name=name: python(f"import {name}").cpu) for name in IMPORTS}
    found = in_turns(work)
    start = statistics.median(found.pop(""))
    net = {name: [value - start for value in values] for name, values in found.items()}
    against = {name: ratios(values, net["torch"]) for name, values in net.items()}
    rows = [(name, spread(net[name], 3), spread(against[name], 3)) for name in IMPORTS]
    table(["import", "CPU seconds", "beside torch"], rows)
    print(
        "`import isthmus` beside torch:", verdict(statistics.median(against["isthmus"]), 0.15, at_most=True)
    )


if __name__ == "__main__":
    main()
