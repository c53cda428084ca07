"""Saving and loading: bit-equal, whole or not at all, and nothing hostile gets in."""

from __future__ import annotations

import errno
import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from isthmus import (
    L1,
    MLP,
    Autoencoder,
    BatchTopK,
    Categorical,
    Contraction,
    DataError,
    FileError,
    GaussianNoise,
    MaskingNoise,
    Penalty,
    Table,
    Trainer,
    load,
    save,
)
from isthmus.demo import mixed_table

KEPT = Path(__file__).parent / "files" / "version-1.isthmus"
SHORT = Trainer(max_epochs=3)


class Energy(Penalty):
    """A user's own part."""

    def __call__(self, trace):
        return trace.z.square().sum(1).mean()


@pytest.fixture
def model(digits):
    """A small fitted model."""
    return Autoencoder(4, trainer=SHORT, random_state=0).fit(digits[0][:200])


@pytest.fixture
def saved(model, tmp_path):
    """Its file."""
    save(model, tmp_path / "m.isthmus")
    return tmp_path / "m.isthmus"


@pytest.mark.parametrize(
    "made",
    [
        Autoencoder(4, trainer=SHORT),
        Autoencoder(4, architecture=MLP((16,), tied=True), trainer=SHORT),
        Autoencoder(32, code=BatchTopK(4), trainer=SHORT),
        Autoencoder(
            3, penalty=1e-3 * L1() + 1e-2 * Contraction(), corruption=GaussianNoise(0.1) + MaskingNoise(0.1)
        ),
        Autoencoder(3, inputs=Table(columns={"sex": Categorical(), "age": Categorical(8)}), trainer=SHORT),
    ],
    ids=lambda m: " ".join(repr(m).split())[:60],
)
def test_round_trip_is_bit_equal(made, tmp_path):
    """Codes, reconstructions, parts, history, notes, names: all the same after loading."""
    df = mixed_table()
    model = made.set_params(random_state=3, trainer__max_epochs=3).fit(df)
    save(model, tmp_path / "m.isthmus")
    same = load(tmp_path / "m.isthmus")
    assert (same.transform(df) == model.transform(df)).all()
    assert same.reconstruct(df).equals(model.reconstruct(df))
    assert same.get_params() == model.get_params()
    assert same.history_rows_ == model.history_rows_
    assert (same.held_out_ == model.held_out_).all()
    assert (same.notes_, same.fingerprint_) == (model.notes_, model.fingerprint_)
    assert list(same.feature_names_in_) == list(df.columns)
    assert same.fit(df).transform(df).tobytes() == model.transform(df).tobytes()


def test_file_of_this_version_stays_loadable():
    """A file kept from version 1 answers as it did when it was written."""
    expected = json.loads(KEPT.with_suffix(".json").read_text())
    codes = load(KEPT).transform(mixed_table().head(5))
    assert np.allclose(codes, expected, atol=1e-4)


def test_facts_are_kept_until_the_next_fit(saved, tmp_path):
    """Plain values a face keeps beside the model, as the command line does with how a file was read."""
    model = load(saved)
    model.facts_ = {"reading": {"separator": ";"}}
    save(model, tmp_path / "facts.isthmus")
    same = load(tmp_path / "facts.isthmus")
    assert same.facts_ == {"reading": {"separator": ";"}}
    assert same.set_params(trainer__max_epochs=1).fit(mixed_table()).facts_ == {}


def test_custom_parts_are_named_when_missing_and_used_when_given(digits, tmp_path):
    """The sentence says what to pass to `load`."""
    model = Autoencoder(4, penalty=0.1 * Energy(), trainer=SHORT, random_state=0).fit(digits[0][:100])
    save(model, tmp_path / "m.isthmus")
    with pytest.raises(FileError, match=r"parts=\[Energy\]"):
        load(tmp_path / "m.isthmus")
    assert load(tmp_path / "m.isthmus", parts=[Energy]).penalty == 0.1 * Energy()


def test_unfitted_model_is_refused(tmp_path):
    """And no file appears."""
    with pytest.raises(DataError, match="fitted"):
        save(Autoencoder(), tmp_path / "m.isthmus")
    assert not list(tmp_path.iterdir())


def refused(path: Path) -> str:
    """The one sentence `load` refuses a file with."""
    with pytest.raises(FileError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("keep", [0, 5, 9, 100, 0.5, -1])
def test_truncated_files_are_refused(saved, keep):
    """Cut anywhere."""
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    refused(saved)


def test_every_flipped_byte_is_noticed(saved):
    """One bit anywhere in the file: header, JSON, or weights."""
    data = saved.read_bytes()
    rng = np.random.default_rng(0)
    places = [*range(0, 64, 7), *rng.integers(0, len(data), 150).tolist(), len(data) - 1]
    for place in places:
        broken = bytearray(data)
        broken[place] ^= 1 << int(rng.integers(8))
        saved.write_bytes(bytes(broken))
        refused(saved)


def test_pickles_and_other_files_are_refused_without_being_run(tmp_path):
    """A pickle that would create a file, a plain text, an unrelated safetensors file, a folder, nothing."""
    trap = tmp_path / "trap"

    class Bomb:
        def __reduce__(self):
            return Path.touch, (trap,)

    cases = {"pickle": pickle.dumps(Bomb()), "text": b"hello, " * 50, "zip": b"PK\x03\x04" * 50}
    cases["other"] = safetensors.torch.save({"w": torch.zeros(3)})
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name)
    torch.save({"w": Bomb()}, tmp_path / "torch")
    refused(tmp_path / "torch")
    refused(tmp_path / "missing")
    refused(tmp_path)
    assert not trap.exists()


def forged(path: Path, change) -> Path:
    """The file with its JSON changed and the checksum made right again: a forger who knows the format."""
    from isthmus.sealed import _digest

    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header = json.loads(metadata["isthmus"])
    text = change(header)
    text = json.dumps(header) if text is None else text
    path.write_bytes(safetensors.numpy.save(tensors, {"isthmus": text, "sha256": _digest(text, tensors)}))
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.update(format=99),
        lambda h: h.update(kind="Exec"),
        lambda h: h["params"].update(architecture={"is": "system", "command": "true"}),
        lambda h: h["params"].update(architecture={"is": "MLP", "hidden": [10**9, 10**9]}),
        lambda h: h["params"].update(architecture={"is": "MLP", "hidden": "wide"}),
        lambda h: h["params"].update(architecture={"is": "MLP", "nonsense": 1}),
        lambda h: h["params"].update(trainer={"is": "L1"}),
        lambda h: h["params"].update(loss=None),
        lambda h: h["params"].pop("loss") and None,
        lambda h: h.update(schema={"is": "MLP"}),
        lambda h: h.update(schema=None),
        lambda h: h["schema"]["scales"].update(centre=[0.0]),
        lambda h: h.update(n_components=-1),
        lambda h: h.update(n_components=10**12),
        lambda h: h.update(history="long ago"),
        lambda h: h.update(notes=7),
        lambda h: h.update(facts="none"),
        lambda h: "[" * 100_000 + "]" * 100_000,
        lambda h: "null",
        lambda h: "{not json",
    ],
)
def test_forged_headers_are_refused(saved, change):
    """Wrong versions, unknown parts, absurd sizes, wrong types: one sentence, nothing run, no memory
    taken.
    """
    refused(forged(saved, change))


def test_oversized_header_claims_are_refused_before_parsing(tmp_path):
    """The first eight bytes may claim a header of any size."""
    for claim in (2**63, 2**40, 10**9):
        (tmp_path / "big").write_bytes(struct.pack("<Q", claim) + b"{}" * 50)
        refused(tmp_path / "big")


def test_full_disk_leaves_the_old_file_and_no_other(model, saved, monkeypatch):
    """Writing fails halfway: the error is one sentence, the old model still loads."""
    before = saved.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left"):
        save(model, saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_saving_into_a_missing_folder_is_refused(model, tmp_path):
    """With the folder's name."""
    with pytest.raises(FileError, match="folder"):
        save(model, tmp_path / "nowhere" / "m.isthmus")
