"""ADBench as in `anomaly.py`, split as the published one-class table is: by the order of the file.

The first half of the ordinary rows of a file trains, the rest and all anomalies are scored; of files over
10,000 rows as many drawn at random, in their order. Published means over 57 sets, AUROC in percent: DTE-NP
81.5 (Livernoche et al. 2024, On diffusion modeling for anomaly detection, ICLR); DDAE 83.2 (2025). Those draw
sets under 1,000 rows up to size with replacement before they split, so that the same rows train and are
scored: not done here, and 28 sets are not 57. A file may be sorted: its halves then differ, and that is what
is measured.
"""

from __future__ import annotations

import torch

from anomaly import FILE_ORDER, rankings
from measuring import arguments


def main() -> None:
    """One seed."""
    small = arguments(__doc__).small
    torch.set_num_threads(1)
    rankings((FILE_ORDER,), range(1), small)


if __name__ == "__main__":
    main()
