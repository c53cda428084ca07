"""Sentences: counts agree with their nouns, shares are never rounded to all or nothing."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from isthmus import Autoencoder, Trainer, audit
from isthmus.report.console import fit_report, model_report
from isthmus.wording import counted, percent

ONCE = Trainer(max_epochs=1, held_out=0.5)


@pytest.mark.parametrize(
    ("count", "words", "told"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (1200, ("row",), "1,200 rows"),
        (1, ("category", "categories"), "1 category"),
        (2, ("category", "categories"), "2 categories"),
    ],
)
def test_one_is_singular(count, words, told):
    """And nothing else is."""
    assert counted(count, *words) == told


def test_one_of_everything_is_told_as_one(tmp_path):
    """One epoch, one number in the code, one column of each kind; what info says as well."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame(
        {
            "size": rng.normal(size=40),
            "kind": rng.choice(["a", "b", "c"], 40),
            "yes": rng.random(40) > 0.5,
            "when": pd.date_range("2021-01-01", periods=40),
        }
    )
    model = Autoencoder(1, trainer=ONCE).fit(df)
    (tmp_path / "m.isthmus").touch()
    reports = [make(model, tmp_path / "m.isthmus") for make in (fit_report, model_report)]
    said = [*model.notes_, *(line for report in reports for line in report.lines.values() if line)]
    assert "1 number, 1 category, 1 yes/no, 1 moment" in said
    assert any(line.startswith("1 epoch,") for line in said)
    assert any("at most 1 epoch," in line for line in said)
    said += [str(audit(model, df, df[:20]))]
    assert not [text for text in said if re.search(r"\b1 (?!is\b|times\b|yes/)[a-z-]+s\b", text)]


@pytest.mark.parametrize(
    ("share", "decimals", "told"),
    [
        (0.0, 0, "0%"),
        (1.0, 1, "100.0%"),
        (0.504, 0, "50%"),
        (0.9993, 0, "99.9%"),
        (0.9996, 1, "99.96%"),
        (0.999999, 0, "over 99.99%"),
        (0.003, 0, "0.3%"),
        (1e-9, 1, "under 0.01%"),
        (1.5, 0, "150%"),
        (-0.25, 1, "-25.0%"),
        (float("nan"), 0, "nan%"),
    ],
)
def test_only_all_is_told_as_all_and_only_nothing_as_nothing(share, decimals, told):
    """A share between them has decimals until it is told from both."""
    assert percent(share, decimals) == told
