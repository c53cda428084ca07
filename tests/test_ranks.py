"""Two processes under torchrun learn what one would."""

from __future__ import annotations

import os
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
from isthmus import L1, Autoencoder, GaussianNoise, MaskingNoise, Source, Trainer, save
from isthmus.training import stream

stream.MEMORY, stream.BUFFER = 0, 400 * 12  # every source is a stream, shuffled 400 rows at a time

class Blocks(Source):
    sizes, reads = (59,) * 17, 0
    def read(self, block):
        self.reads += 1
        return X[59 * block : 59 * (block + 1)]

rng = np.random.default_rng(0)
X = np.tanh(rng.normal(size=(1003, 3)) @ rng.normal(size=(3, 12)))
X[rng.random(X.shape) < 0.05] = np.nan
kinds = {
    "plain": {},
    "noisy": {"corruption": MaskingNoise(0.2) + GaussianNoise(0.1), "penalty": 1e-3 * L1()},
}
kinds["streamed"] = kinds["noisy"]
kinds["without a seed"] = {"random_state": None if "RANK" in os.environ else 0}
for name, options in kinds.items():
    data = Blocks() if name == "streamed" else X
    checkpoint = f"{sys.argv[1]}/{name}.checkpoint" if name != "without a seed" else None
    trainer = Trainer(max_epochs=12, batch_size=100, checkpoint=checkpoint)
    model = Autoencoder(3, trainer=trainer, **{"random_state": 0, **options}).fit(data)
    assert data is X or data.reads > 15  # whoever takes part decodes every block, and none for every epoch
    assert data is X or data.reads < 12 * 15
    if os.environ.get("RANK", "0") == "0":
        save(model, f"{sys.argv[1]}/{name}.isthmus")
"""

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def test_two_processes_end_where_one_does(tmp_path):
    """Same global batch, held-out rows and noise: held-out loss within 1e-4, codes too.

    From memory and from a source too large for it; without a seed all take the same one.
    """
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    found = {}
    for where, words in (("one", []), ("two", TORCHRUN)):
        (tmp_path / where).mkdir()
        command = [sys.executable, *words, str(script), str(tmp_path / where)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found[where] = {path.stem: load(path) for path in (tmp_path / where).glob("*.isthmus")}
    assert set(found["one"]) == {"plain", "noisy", "streamed", "without a seed"}
    X = np.tanh(np.random.default_rng(1).normal(size=(50, 12)))
    for name, one in found["one"].items():
        two = found["two"][name]
        assert two.history_rows_[-1]["epoch"] == 12
        for line, line_ in zip(one.history_rows_, two.history_rows_, strict=True):
            for term in ("objective", "held_out_loss"):
                assert line_[term] == pytest.approx(line[term], rel=1e-4)
        assert np.abs(one.transform(X) - two.transform(X)).max() <= 1e-4 * np.abs(one.transform(X)).max()


FUSE = """
import json, os, signal, sys
from pathlib import Path
import numpy as np
from isthmus import Autoencoder, MaskingNoise, Trainer
from isthmus.sealed import read_sealed

folder, fatal = Path(sys.argv[1]), int(sys.argv[2])
rank, attempt = os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]
checkpoint = folder / "training"
if rank == "0" and checkpoint.exists():
    (folder / f"resumed{attempt}").write_text(str(read_sealed(checkpoint, "Checkpoint")[0]["step"]))

class Fuse(MaskingNoise):  # noise is drawn once a step, so its calls count the steps
    calls = []
    def __call__(self, *arguments):
        self.calls.append(1)
        if rank == "1" and attempt == "0" and len(self.calls) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(*arguments)

X = np.tanh(np.random.default_rng(0).normal(size=(1000, 3)) @ np.random.default_rng(1).normal(size=(3, 12)))
trainer = Trainer(max_epochs=12, batch_size=50, checkpoint=str(checkpoint))
model = Autoencoder(3, corruption=Fuse(0.2), trainer=trainer, random_state=0).fit(X)
if rank == "0":
    history = [{k: v for k, v in line.items() if k != "seconds"} for line in model.history_rows_]
    (folder / "history.json").write_text(json.dumps(history))
    np.save(folder / "codes.npy", model.transform(X))
"""


def test_after_a_kill_torchrun_restarts_and_training_goes_on_to_the_same_bits(tmp_path):
    """SIGKILL of one process in the middle: the others are stopped, all take up the checkpoint."""
    script = tmp_path / "train.py"
    script.write_text(FUSE)
    # a store that outlives the processes keeps the addresses of the dead: docs/clusters.md
    fresh = {**os.environ, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    for name, fatal in (("whole", 0), ("killed", 150)):
        (tmp_path / name).mkdir()
        command = [sys.executable, *TORCHRUN, "--max-restarts=2", script, tmp_path / name, str(fatal)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=fresh, timeout=120)
        assert done.returncode == 0, done.stderr
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert list(whole.glob("resumed*")) == []
    assert 0 < int((killed / "resumed1").read_text()) <= 150 < 12 * 18
    assert (killed / "history.json").read_text() == (whole / "history.json").read_text()
    assert (np.load(killed / "codes.npy") == np.load(whole / "codes.npy")).all()


AGAIN = """
import sys
import numpy as np
from isthmus import Autoencoder, Trainer

X = np.random.default_rng(0).normal(size=(300, 30))
model = Autoencoder(3, trainer=Trainer(max_epochs=2, checkpoint=sys.argv[1]), random_state=0)
codes = model.fit_transform(X)
for _ in range(100):
    assert (model.fit_transform(X) == codes).all()
"""


def test_a_finished_fit_can_be_called_again_by_all_processes(tmp_path):
    """None reads a checkpoint not yet written, or sweeps away one that is being written."""
    script = tmp_path / "again.py"
    script.write_text(AGAIN)
    command = [sys.executable, *TORCHRUN, script, tmp_path / "training"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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
