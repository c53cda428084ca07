"""Two processes under torchrun learn what one would."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from isthmus import load
from isthmus.training.ranks import Ranks
from isthmus.training.rows import Batch

SCRIPT = """
import os, sys
import numpy as np
from isthmus import L1, Autoencoder, GaussianNoise, MaskingNoise, Trainer, save

rng = np.random.default_rng(0)
X = np.tanh(rng.normal(size=(1003, 3)) @ rng.normal(size=(3, 12)))
X[rng.random(X.shape) < 0.05] = np.nan
kinds = {
    "plain": {},
    "noisy": {"corruption": MaskingNoise(0.2) + GaussianNoise(0.1), "penalty": 1e-3 * L1()},
}
for name, options in kinds.items():
    trainer = Trainer(max_epochs=12, batch_size=100, checkpoint=f"{sys.argv[1]}/{name}.checkpoint")
    model = Autoencoder(3, trainer=trainer, random_state=0, **options).fit(X)
    if os.environ.get("RANK", "0") == "0":
        save(model, f"{sys.argv[1]}/{name}.isthmus")
"""


@pytest.mark.parametrize("launcher", [["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]])
def test_two_processes_end_where_one_does(tmp_path, launcher):
    """Same global batch, held-out rows and noise: held-out loss within 1e-4, codes too."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    found = {}
    for where, words in (("one", []), ("two", launcher)):
        (tmp_path / where).mkdir()
        command = [sys.executable, *words, str(script), str(tmp_path / where)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        found[where] = {name: load(tmp_path / where / f"{name}.isthmus") for name in ("plain", "noisy")}
    X = np.tanh(np.random.default_rng(1).normal(size=(50, 12)))
    for name, one in found["one"].items():
        two = found["two"][name]
        assert two.history_rows_[-1]["epoch"] == 12
        for line, line_ in zip(one.history_rows_, two.history_rows_, strict=True):
            for term in ("objective", "held_out_loss"):
                assert line_[term] == pytest.approx(line[term], rel=1e-4)
        assert np.abs(one.transform(X) - two.transform(X)).max() <= 1e-4 * np.abs(one.transform(X)).max()


def test_shares_of_a_batch_are_all_of_it():
    """Whatever the numbers of rows and processes; each share knows its part."""
    for rows in (7, 8, 100):
        batch = Batch(torch.arange(rows)[:, None].float(), None, torch.arange(rows))
        for count in (2, 3, 5):
            shares = [Ranks(rank, count).share(batch) for rank in range(count)]
            assert torch.cat([share.numbers for share, _ in shares]).tolist() == list(range(rows))
            assert sum(part for _, part in shares) == pytest.approx(1.0)
            assert all(len(share.x) == pytest.approx(part * rows) for share, part in shares)


def test_a_batch_too_small_to_share_is_taken_by_all():
    """Two rows, three processes: each takes both, for a third."""
    batch = Batch(torch.ones(2, 1), None, torch.arange(2))
    shares = [Ranks(rank, 3).share(batch) for rank in range(3)]
    assert all(len(share.x) == 2 for share, _ in shares)
    assert sum(part for _, part in shares) == pytest.approx(1.0)
