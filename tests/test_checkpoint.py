"""Checkpoints: a fit killed at any moment ends as if it had never been stopped."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from isthmus import MLP, Architecture, Autoencoder, FileError, GaussianNoise, MaskingNoise, Trainer
from isthmus.sealed import read_sealed, write_sealed

X = np.random.default_rng(0).normal(size=(400, 3)) @ np.random.default_rng(1).normal(size=(3, 12))

# Forks a child per attempt and kills it after a random time, also in the middle of writing, which a slow
# rename makes likely; prints how often it had to, and a digest of the weights it ends with.
KILLER = """
import hashlib, os, pathlib, random, signal, sys, time
import numpy as np, torch
torch.set_num_threads(1)
from isthmus import Autoencoder, GaussianNoise, Trainer, Nested
from isthmus.training import checkpoint

checkpoint.SHARE = 1                                 # write at nearly every look
rename = pathlib.Path.replace
pathlib.Path.replace = lambda self, to: (time.sleep(0.002), rename(self, to))[1]
path = sys.argv[1]
X = np.random.default_rng(0).normal(size=(400, 3)) @ np.random.default_rng(1).normal(size=(3, 12))

def fit(path):
    trainer = Trainer(max_epochs=400, patience=40, checkpoint=path)
    noisy = Autoencoder(2, corruption=GaussianNoise(0.3), code=Nested(), trainer=trainer, random_state=0)
    return noisy.fit(X)

def digest(model):
    state = b"".join(t.numpy().tobytes() for t in model.network_.state_dict().values())
    looks = [sorted((k, v) for k, v in line.items() if k != "seconds") for line in model.history_rows_]
    return hashlib.sha256(state + repr(looks).encode()).hexdigest()

random.seed(0)
started = time.perf_counter()
expected = digest(fit(None))
whole = time.perf_counter() - started
kills, places = 0, set()
while kills < 20:
    child = os.fork()
    if child == 0:
        fit(path)
        os._exit(0)
    time.sleep(random.uniform(0.05, 0.35) * whole)
    os.kill(child, signal.SIGKILL)
    if os.waitpid(child, 0)[1] == 0:
        os.unlink(path)                              # it finished first: begin again
    else:
        kills += 1
        if os.path.exists(path):
            places.add(hashlib.sha256(open(path, "rb").read()).digest())
print(kills, len(places), digest(fit(path)) == expected)
"""


def test_training_killed_twenty_times_ends_with_the_same_bits(tmp_path):
    """Weights, history and early stopping equal those of a fit that was never stopped."""
    path = str(tmp_path / "run.checkpoint")
    done = subprocess.run([sys.executable, "-c", KILLER, path], capture_output=True, text=True, check=True)
    kills, places, equal = done.stdout.split()
    assert (kills, equal) == ("20", "True")
    assert int(places) >= 3  # the kills fell in different parts of the run
    assert [p.name for p in tmp_path.iterdir()] == ["run.checkpoint"]  # nothing half written is left


def fit(path, **changes):
    """A short fit with a checkpoint."""
    trainer = Trainer(max_epochs=20, checkpoint=str(path))
    return Autoencoder(**{"n_components": 2, "trainer": trainer, "random_state": 0, **changes}).fit(X)


def test_finished_fit_is_not_trained_again(tmp_path):
    """The same call finds everything done, and gives the same model."""
    path = tmp_path / "run.checkpoint"
    first = fit(path)
    before = path.read_bytes()
    again = fit(path)
    assert (first.transform(X) == again.transform(X)).all()
    assert [line["epoch"] for line in first.history_rows_] == [line["epoch"] for line in again.history_rows_]
    assert read_sealed(path, "Checkpoint")[0]["step"] > 0
    assert len(path.read_bytes()) == len(before)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"random_state": 1}, "another random_state."),
        ({"corruption": MaskingNoise(0.1)}, "another corruption."),
        ({"architecture": MLP((7,))}, "another architecture."),
        ({"n_components": 3, "random_state": 1}, "another n_components and another random_state."),
    ],
    ids=repr,
)
def test_checkpoint_of_another_fit_is_refused(tmp_path, changes, named):
    """One sentence that says what is another, and the file stays as it was."""
    path = tmp_path / "run.checkpoint"
    fit(path)
    before = path.read_bytes()
    with pytest.raises(FileError, match=rf"be of the same data and parameters; .* with {named}"):
        fit(path, **changes)
    assert path.read_bytes() == before


def test_checkpoint_of_other_data_is_refused(tmp_path):
    """One value has changed."""
    path = tmp_path / "run.checkpoint"
    fit(path)
    other = X.copy()
    other[3, 4] += 1.0
    with pytest.raises(FileError, match="got one of a fit with another X"):
        Autoencoder(2, trainer=Trainer(max_epochs=20, checkpoint=str(path)), random_state=0).fit(other)


def test_damaged_and_forged_checkpoints_are_refused(tmp_path):
    """A flipped bit, a cut end, and a well-sealed file with the wrong things in it."""
    path = tmp_path / "run.checkpoint"
    fit(path)
    whole = path.read_bytes()
    for damaged in (whole[:-7], whole[:-7] + bytes([whole[-7] ^ 1]) + whole[-6:], b"", b"PK" * 40):
        path.write_bytes(damaged)
        with pytest.raises(FileError, match=r"\. If it was a checkpoint, delete it; else use another path\."):
            fit(path)
    path.write_bytes(whole)
    header, tensors = read_sealed(path, "Checkpoint")
    for forged in (
        {**header, "counts": "x"},
        {**header, "members": []},
        {k: v for k, v in header.items() if k != "step"},
    ):
        write_sealed(path, tensors, forged)
        with pytest.raises(FileError, match="not a checkpoint of this fit"):
            fit(path)
    write_sealed(path, {**tensors, "weights": torch.zeros(3, 3)}, header)
    with pytest.raises(FileError, match="not a checkpoint of this fit"):
        fit(path)


class Dropping(Architecture):
    """A network with randomness of its own, drawn from torch's global generator."""

    def build(self, layout, n_components):
        nn = torch.nn
        return nn.Sequential(nn.Dropout(0.2), nn.Linear(layout.width, n_components)), nn.Linear(
            n_components, layout.width
        )


class Stop(GaussianNoise):
    """Ctrl-C in the middle of the first fit."""

    def __call__(self, x, layout, generator):
        COUNT["batches"] += torch.is_grad_enabled()
        if COUNT["batches"] == 150:
            raise KeyboardInterrupt
        return super().__call__(x, layout, generator)


COUNT = {"batches": 0}


def test_interrupted_fit_goes_on_where_it_was(tmp_path, monkeypatch):
    """Ctrl-C gives the best so far; the same call goes on and ends as if it had not been pressed, also with
    dropout.
    """
    monkeypatch.setattr("isthmus.training.checkpoint.SHARE", 0)
    options = {"architecture": Dropping(), "corruption": Stop(0.1)}
    COUNT["batches"] = 10**6
    expected = fit(tmp_path / "never stopped", **options)
    COUNT["batches"] = 0
    stopped = fit(tmp_path / "run.checkpoint", **options)
    assert any("Interrupted" in note for note in stopped.notes_)
    resumed = fit(tmp_path / "run.checkpoint", **options)
    assert (resumed.transform(X) == expected.transform(X)).all()
    assert not (stopped.transform(X) == expected.transform(X)).all()
