"""Figures: every function takes axes and gives them back, and its title says what was found."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from constructed import curved
from isthmus import Autoencoder, DataError, Trainer, audit, figures
from isthmus.auditing import views
from isthmus.auditing.curve import ComponentCurve
from isthmus.auditing.tradeoff import Tradeoff
from isthmus.demo import mixed_table
from isthmus.figures.style import COLOURS, DARK

RNG = np.random.default_rng(0)
PLANE, CODES = RNG.normal(size=(30, 2)), np.abs(RNG.normal(size=(6, 8)))
HISTORY = [
    {
        "epoch": float(i),
        "objective": 3 / (i + 1),
        "loss": 2 / (i + 1),
        "l1": 1 / (i + 1),
        "held_out_loss": 4 / (i + 1),
    }
    for i in range(5)
]
CURVE = ComponentCurve(
    np.arange(1, 5),
    np.array([4.0, 2, 1, 1]),
    np.array([5.0, 4, 3, 2]),
    8.0,
    50,
    3,
    "",
    (1, 2, 4),
    Autoencoder(),
)
PATH = Tradeoff(
    "penalty__weight",
    tuple(
        {"value": v, "error": e, "anomaly_auc": a, "noise_left": e, "neighbours": a, "jacobian": 1 / e}
        for v, e, a in ((0.0, 1.0, 0.5), (0.1, 2.0, 0.9))
    ),
    (),
    False,
)
CELLS = {"value": [1.1, 2.0], "lower": [0.5, 1.0], "upper": [1.5, 3.0]}
CALLS = {
    "activations": lambda ax: figures.activations(CODES, ax=ax),
    "component_curve": lambda ax: figures.component_curve(CURVE, ax=ax),
    "contraction_along_line": lambda ax: figures.contraction_along_line(
        np.linspace(0, 1, 9), {"plain": np.linspace(0, 1, 9)}, points=np.array([0.2]), ax=ax
    ),
    "error_map": lambda ax: figures.error_map(RNG.uniform(size=(4, 5, 3)), ax=ax),
    "filled_cells": lambda ax: figures.filled_cells(CELLS, np.array([1.0, 9.0]), ax=ax),
    "jacobian_spectrum": lambda ax: figures.jacobian_spectrum({"a": np.ones(3)}, dimension=2.0, ax=ax),
    "kl_penalty": lambda ax: figures.kl_penalty(ax=ax),
    "latent_scatter": lambda ax: figures.latent_scatter(PLANE, colour=np.arange(30) % 3, ax=ax),
    "loss_terms": lambda ax: figures.loss_terms(HISTORY, ax=ax),
    "manifolds": lambda ax: figures.manifolds(PLANE, {"PCA": PLANE, "model": PLANE}, ax=ax),
    "picture_rows": lambda ax: figures.picture_rows(RNG.uniform(size=(2, 3, 16)), (4, 4), ax=ax),
    "top_rows": lambda ax: figures.top_rows([[1.0, "a"], [np.nan, None]], ["x", "y"], values=[2, 1], ax=ax),
    "tradeoff": lambda ax: figures.tradeoff(PATH, ax=ax),
    "vector_field": lambda ax: figures.vector_field(PLANE, PLANE + 1, points=PLANE, ax=ax),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dark", [False, True])
def test_a_figure_draws_on_the_axes_it_is_given(name, dark):
    """On light and on dark; no setting of matplotlib's is left changed, and it can be rendered."""
    before = dict(mpl.rcParams)
    with figures.theme(dark=dark):
        figure = Figure(layout="constrained")
        ax = figure.add_subplot()
        assert CALLS[name](ax) is ax
        figure.canvas.draw()
    assert dict(mpl.rcParams) == before
    assert CALLS[name](None).figure is not figure


def test_figures_do_not_import_pyplot():
    """Which would choose a window system, and keep every figure alive."""
    code = "import isthmus.figures as f, sys; f.kl_penalty(); print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_nearly_all_is_not_told_as_all():
    """99.93% keeps a decimal; one number is singular."""
    errors = np.array([0.0056, 0]), np.array([1.0, 0])
    curve = ComponentCurve(np.arange(1, 3), *errors, 8.0, 50, 1, "", (1, 2), [])
    title = figures.component_curve(curve).get_title("left")
    assert title == "1 number explains 99.9%, PCA(1) 88%"


def test_titles_say_what_was_found():
    """In numbers of the data that were drawn."""
    assert CALLS["component_curve"](None).get_title("left") == "3 numbers explain 88%, PCA(3) 62%"
    assert CALLS["tradeoff"](None).get_title("left") == "Reconstruction prefers 0; the uses prefer 0 and 0.1"
    assert "2 times training loss" in CALLS["loss_terms"](None).get_title("left")
    found = CALLS["activations"](None).get_title("left")
    assert found == f"6 rows, {len(np.unique(CODES.argmax(1)))} different units strongest"
    title = figures.latent_scatter(PLANE, title="mine").get_title("left")
    assert title == "mine"


def test_the_picture_book_draws_every_figure():
    """Each by its name in one of the two scripts, the theme apart."""
    folder = Path(__file__).resolve().parents[1] / "examples"
    scripts = "".join((folder / name).read_text() for name in ("picture_book.py", "pictures_of_uses.py"))
    assert [name for name in figures.__all__ if f"figures.{name}(" not in scripts] == []


def test_names_of_groups_do_not_lie_on_each_other():
    """Three groups at one place: every pair of names keeps a twentieth of the map between it."""
    z = np.vstack([PLANE, PLANE + 0.01, PLANE - 0.01])
    ax = figures.latent_scatter(z, colour=np.repeat(["a", "b", "c"], len(PLANE)))
    places = np.array([text.get_position() for text in ax.texts]) / np.ptp(z, axis=0)
    apart = [np.linalg.norm(one - other) for one, other in itertools.combinations(places, 2)]
    assert min(apart) > 0.05


def test_ticks_of_a_logarithmic_axis_have_no_powers_of_ten():
    """Ones, twos and fives as plain numbers, the rest without a name."""
    ax = figures.loss_terms(HISTORY)
    told = [ax.yaxis.get_major_formatter()(value) for value in (0.1, 0.2, 0.3, 5.0)]
    assert told == ["0.1", "0.2", "", "5"]


def test_filled_cells_are_told_apart_by_their_intervals():
    """One of two holds the truth."""
    ax = CALLS["filled_cells"](None)
    assert ax.get_title("left") == "1 of 2 hidden values lie inside their intervals"


def test_the_kl_penalty_is_zero_at_rho_and_its_value_elsewhere():
    """Against a sum by hand at rho_hat = 0.5."""
    lines = figures.kl_penalty((0.2,)).get_lines()
    x, y = lines[0].get_data()
    assert y.min() == pytest.approx(0, abs=1e-4)
    assert x[y.argmin()] == pytest.approx(0.2, abs=2e-3)
    by_hand = 0.2 * np.log(0.2 / 0.5) + 0.8 * np.log(0.8 / 0.5)
    assert np.interp(0.5, x, y) == pytest.approx(by_hand, abs=1e-4)


def test_colours_of_groups_differ_and_stand_out_from_both_papers():
    """Lightness differs between neighbours as well, so that a grey copy can be read."""
    assert len(set(COLOURS)) == len(COLOURS)
    light = [_lightness(colour) for colour in COLOURS]
    assert all(abs(a - b) > 0.01 for a, b in itertools.pairwise(light))
    for paper in (1.0, _lightness(DARK["paper"])):
        for shade in light[:4]:
            high, low = max(shade, paper), min(shade, paper)
            assert (high + 0.05) / (low + 0.05) >= 2.5


def _lightness(colour: str) -> float:
    from matplotlib.colors import to_rgb

    parts = np.array(to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_views_are_what_the_model_makes_of_places():
    """PCA as the independent source: fields project, a line along the axis is kept, codes are straight."""
    X = RNG.normal(size=(60, 2)) * [3.0, 0.5]
    pca = PCA(1).fit(X)
    starts, ends = views.field(pca, X, 6)
    assert np.allclose(ends, pca.inverse_transform(pca.transform(starts)))
    axis = pca.components_[0]
    places, made = views.along_line(pca, pca.mean_, pca.mean_ + axis)
    assert np.allclose(places, made)
    between = views.interpolations(pca, X[:2], X[2:4], steps=3)
    rebuilt = pca.inverse_transform(pca.transform(X[:4]))
    assert np.allclose(between[:, 1], (rebuilt[:2] + rebuilt[2:4]) / 2)
    walked = views.traversals(pca, X, steps=5)
    assert walked.shape == (1, 5, 2)
    assert np.allclose(np.diff(walked[0], 2, axis=0), 0, atol=1e-9)
    with pytest.raises(DataError, match="two columns"):
        views.field(pca, np.ones((5, 3)))


def test_the_strongest_rows_of_a_unit_are_rows_of_the_table():
    """In its own kind, the largest activation first."""
    table = mixed_table()
    model = Autoencoder(3, trainer=Trainer(max_epochs=2), random_state=0).fit(table)
    rows, values = views.strongest(model, table, 1, 4)
    z = model.transform(table)[:, 1]
    assert list(values) == sorted(z, reverse=True)[:4]
    assert list(rows.index) == list(np.argsort(-z, kind="stable")[:4])
    with pytest.raises(DataError, match="between 0 and 2"):
        views.strongest(model, table, 3)


def test_worst_columns_are_drawn_from_an_audit():
    """The worst on top, and named."""
    X = curved(200, 0)
    found = audit(Autoencoder(3, trainer=Trainer(max_epochs=3), random_state=0).fit(X), X)
    ax = figures.worst_columns(found)
    assert ax.get_yticklabels()[-1].get_text() == str(found.worst.order[0])


def test_a_map_of_codes_says_how_alike_neighbours_are():
    """Two groups far apart: always of one group; a number that is the first axis: its own neighbour's."""
    z = np.vstack([PLANE, PLANE + 100])
    title = figures.latent_scatter(z, colour=np.repeat(["a", "b"], len(PLANE))).get_title("left")
    assert title == "Nearest neighbours are of one group in 100%, by chance in 50%"
    line = np.c_[np.arange(50.0), np.zeros(50)]
    title = figures.latent_scatter(line, colour=np.arange(50.0)).get_title("left")
    assert title == "Nearest neighbours' values correlate at 1.00"
    assert figures.latent_scatter(line).get_title("left") == "The two numbers correlate at 0.00"


def test_pictures_and_filters_say_how_much_and_how_small():
    """Lines that brighten by a tenth a step; filters of one pixel out of sixteen; two of ten directions."""
    lines = np.broadcast_to(np.linspace(0, 0.4, 5)[None, :, None], (2, 5, 16))
    title = figures.picture_rows(lines, (4, 4)).get_title("left")
    assert title == "A step changes a pixel by 0.1 on average, a whole line by 0.4"
    title = figures.filters(np.eye(16), (4, 4)).get_title("left")
    assert title == "The median filter has half its power in 6% of the picture"
    spectra = {"plain": np.array([1.0, 1.0] + [0.0] * 8), "flat": np.ones(10)}
    title = figures.jacobian_spectrum(spectra).get_title("left")
    assert title == "Singular values sum to 2 (plain), 10 (flat)"
    assert CALLS["top_rows"](None).get_title("left") == "The unit answers these rows with 2 to 1"


def test_what_is_restored_says_how_near_it_came():
    """By hand: errors of .2 and .1; noise at a hundredth and a ten-thousandth of the signal's power."""
    clean = np.full((20, 30), 0.5)
    axes = figures.restored({"noisy": clean + 0.2, "denoised": clean - 0.1, "clean": clean})
    assert axes[0].figure.get_suptitle() == "From clean, root mean square: noisy 0.2, denoised 0.1"
    wave = np.tile([1.0, -1.0], 4000)
    sounds = {"noisy": 1.1 * wave, "denoised": 1.01 * wave, "clean": wave}
    told = figures.spectrograms(sounds, 8000)[0].figure.get_suptitle()
    assert told == "Signal to noise against clean: noisy 20.0 dB, denoised 40.0 dB"
    told = figures.spectrograms({"loud": wave, "quiet": 0.1 * wave}, 8000)[0].figure.get_suptitle()
    assert told == "quiet is -20.0 dB beside loud"
    hidden = np.zeros((20, 30), bool)
    hidden[:10] = True
    ax = figures.inpainted(clean, hidden, clean + 0.3 * hidden, clean=clean)
    assert ax.get_title("left") == "50% of the pixels filled, 0.3 from what was there (root mean square)"


def test_a_title_is_not_put_on_a_figure_of_the_users():
    """Whose axes were given: what is on it says nothing of the whole."""
    figure = Figure()
    figures.restored({"a": np.ones((9, 9)), "b": np.ones((9, 9))}, axes=figure.subplots(1, 2))
    assert figure.get_suptitle() == ""


def test_titles_keep_to_what_can_be_compared():
    """Pictures of 255 beside shares of 1, other shapes, gaps, silence, one step: no number that is wrong."""
    bright = np.full((12, 12), 255, np.uint8)
    axes = figures.restored({"whole": bright, "share": np.ones((12, 12))})
    assert axes[0].figure.get_suptitle() == "From share, root mean square: whole 0"
    hidden = np.ones((2, 9, 9), bool)
    ax = figures.inpainted(np.ones((2, 9, 9)), hidden, np.ones((2, 9, 9)), clean=np.ones((2, 9, 9, 1)))
    assert ax.get_title("left") == "100% of the pixels filled"
    assert figures.picture_rows(RNG.uniform(size=(2, 1, 16)), (4, 4)).get_title("left") == ""
    z = np.vstack([PLANE, PLANE + 100, [[np.nan, 0.0]]])
    title = figures.latent_scatter(z, colour=np.repeat(["a", "b", "b"], [30, 30, 1])).get_title("left")
    assert title == "Nearest neighbours are of one group in 100%, by chance in 50%"
    wave = np.tile([1.0, -1.0], 4000)
    same = figures.spectrograms({"a": wave, "b": wave, "c": wave}, 8000)
    assert same[0].figure.get_suptitle() == ""
    stereo = {"noisy": np.stack([1.1 * wave, 9 * wave]), "clean": np.stack([wave, wave])}
    told = figures.spectrograms({"a": stereo["noisy"], **stereo}, 8000)[0].figure.get_suptitle()
    assert told == "Signal to noise against clean: a 20.0 dB, noisy 20.0 dB"


def test_titles_of_neighbours_do_not_lie_on_each_other():
    """Four in a row: every title ends before the next begins."""
    figure = Figure(figsize=(10, 3), layout="constrained")
    for ax in figure.subplots(1, 4):
        figures.filters(np.eye(16), (4, 4), ax=ax)
    figure.canvas.draw()
    boxes = [ax._left_title.get_window_extent() for ax in figure.axes]
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))
    assert boxes[-1].x1 <= figure.bbox.x1


def test_a_map_of_codes_takes_gaps_in_what_colours_it_and_says_what_does_not_fit():
    """Missing names are a group, missing numbers have no colour; other shapes are one sentence."""
    names = np.array(["a", None, np.nan] * 10, object)
    assert {text.get_text() for text in figures.latent_scatter(PLANE, colour=names).texts} == {
        "a",
        "no value",
    }
    numbers = pd.array([*range(29), pd.NA], dtype="Int64")
    assert "correlate" in figures.latent_scatter(PLANE, colour=numbers).get_title("left")
    with pytest.raises(DataError, match=r"z must be points \(n, 2\)"):
        figures.latent_scatter(PLANE[:, :1])
    with pytest.raises(DataError, match="colour must have 30 values"):
        figures.latent_scatter(PLANE, colour=[1, 2])
