"""The HTML report: one file, the verdict first, nothing asked of anyone, readable by eye and by ear."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from command_line import run
from isthmus import Autoencoder, Trainer, audit, save
from isthmus.auditing import Audit
from isthmus.auditing.verdict import KINDS
from isthmus.auditing.worst import Worst
from isthmus.demo import mixed_table
from isthmus.report.drawings import heat
from isthmus.report.page import HEADS, Facts, html_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FEW = Trainer(max_epochs=6)
FACTS = Facts("m.isthmus: is it any good?", {"model": "Autoencoder(5)"}, "isthmus report ...", [], [])


class Page(HTMLParser):
    """Tags and attributes in order, and the text inside."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.said: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.fixture(scope="module")
def table() -> str:
    """The page of a mixed table with gaps; one column's name and cells are hostile."""
    rows = mixed_table().rename(columns={"s6": "</script><b onclick=x>"})
    rows.loc[::3, "sex"] = "<img src=x onerror=alert(1)>"
    model = Autoencoder(5, trainer=FEW, random_state=0).fit(rows)
    return html_report(audit(model, rows), FACTS)


@pytest.fixture(scope="module")
def pictures() -> str:
    """The page of colour pictures."""
    X = np.random.default_rng(0).integers(0, 255, size=(120, 16, 16, 3), dtype=np.uint8)
    model = Autoencoder(3, trainer=Trainer(1), random_state=0).fit(X)
    return html_report(audit(model, X), FACTS)


@pytest.fixture(scope="module")
def patients_elsewhere() -> Audit:
    """Held-out rows with one column in a hundredth of its unit."""
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(400, 3)) @ rng.normal(size=(3, 8))) + 2
    other = X[300:].copy()
    other[:, 5] *= 100
    return audit(Autoencoder(3, trainer=FEW, random_state=0).fit(X[:300]), X[:300], other)


def rows_in(page: str) -> dict[str, Any]:
    """The data a page carries."""
    return json.loads(re.search(r'<script type="application/json" id="rows">(.*?)</script>', page)[1])  # type: ignore[index]


def test_the_verdict_comes_first(table):
    """Before any picture, under a headline of a few words."""
    said = [text for text in Page(table).said if text.strip()]
    heads = [head for head, _ in HEADS.values()]
    first = next(i for i, text in enumerate(said) if text in heads)
    assert "held-out rows" in said[first + 1]
    assert table.index("verdict") < table.index("<svg")


def test_every_verdict_has_a_headline(patients_elsewhere):
    """Also that on rows of another kind."""
    assert set(HEADS) == set(KINDS)
    assert patients_elsewhere.kind == "other"
    page = html_report(patients_elsewhere, FACTS)
    assert HEADS["other"][0] in [text.strip() for text in Page(page).said]


def test_a_page_asks_for_nothing_from_anywhere(table, pictures):
    """No address of a network, no file, and a policy that forbids both; under 5 MB."""
    for page in (table, pictures):
        assert "http:" not in page.replace("http-equiv", "")
        assert "https:" not in page
        assert "default-src 'none'" in page
        assert not [a for _, a in Page(page).tags if "src" in a or "href" in a]
        assert len(page.encode()) < 5e6


def test_what_stands_in_cells_and_names_cannot_become_markup(table):
    """Neither a tag nor the end of a script."""
    tags = Page(table).tags
    assert not [tag for tag, _ in tags if tag in ("b", "img")]
    assert len([tag for tag, _ in tags if tag == "script"]) == 2
    cells = [cell for row in rows_in(table)["rows"] for cell in row["cells"]]
    assert "<img src=x onerror=alert(1)>" in {cell[1] for cell in cells}


def test_the_rows_inside_are_the_held_out_rows_of_the_file():
    """By their number in the file, with their own values; with rows=0 there are none."""
    rows = pd.DataFrame({"a": np.arange(200.0), "b": np.arange(200.0) ** 2, "c": np.sin(np.arange(200.0))})
    model = Autoencoder(2, trainer=FEW, random_state=0).fit(rows)
    found = audit(model, rows)
    data = rows_in(html_report(found, FACTS))
    a = data["columns"].index("a")
    for row in data["rows"]:
        assert row["number"] in model.held_out_
        assert float(next(cell[1] for cell in row["cells"] if cell[0] == a)) == row["number"]
    empty = html_report(found, FACTS, rows=0)
    assert rows_in(empty)["rows"] == []
    assert "Row by row" not in empty


def test_pictures_are_carried_as_they_are(pictures):
    """Three channels, one byte each."""
    import base64

    data = rows_in(pictures)
    assert data["shape"] == [16, 16, 3]
    assert {len(base64.b64decode(row[name])) for row in data["rows"] for name in ("x", "x_hat")} == {768}


def test_a_map_of_errors_frames_the_worst_regions(pictures):
    """Three squares, their shares in words beside what would be even; no number has an exponent."""
    assert pictures.count('class="frame"') == 3
    assert "Of all error they have, where 4% would be even: rows " in pictures
    drawn = "".join(re.findall(r"<svg.*?</svg>", pictures, re.S))
    assert not re.search(r">[0-9.]+e[+-]", drawn)


def test_the_worst_regions_are_where_the_errors_are():
    """Put there by hand, one twice as bad as the other; none overlaps another, and no error has no region."""
    error = np.full((12, 12), 0.01)
    error[2:4, 7:9], error[9:11, 1:3] = 2.0, 1.0
    found = worst_of(error).regions(2)
    assert [(one.top, one.left, one.side) for one in found] == [(2, 7, 2), (9, 1, 2)]
    assert found[0].share == pytest.approx(8 / error.sum())
    assert str(found[0]) == "rows 2 to 3, columns 7 to 8"
    assert worst_of(np.zeros((12, 12))).regions() == []
    assert len(worst_of(np.ones((4, 4))).regions(9)) == 4


def worst_of(error: np.ndarray) -> Worst:
    """What an audit would say of pictures with these errors."""
    return Worst(
        explained=np.zeros(error.size),
        error=error.ravel(),
        names=(),
        shape=error.shape,
        is_signal=False,
        lost=0,
    )


def test_a_large_map_is_drawn_with_few_squares():
    """At most 48 by 48, whatever the picture's size."""
    drawn = heat(np.random.default_rng(0).uniform(size=(300, 131)), [(10, 20, 30)], "map")
    assert drawn.count("<rect") <= 48 * 48 + 1
    assert drawn.count("frame") == 1


def test_everything_has_a_name_for_those_who_do_not_see_it(table, pictures):
    """Language, title, a label on every drawing and on the panel; rows can be reached by keys."""
    for page in (table, pictures):
        tags = Page(page).tags
        assert dict(tags)["html"]["lang"] == "en"
        drawings = [attributes for tag, attributes in tags if tag == "svg"]
        assert drawings
        assert all(a["aria-label"] and a["role"] for a in drawings)
        assert [a["tabindex"] for a in drawings if a.get("class") == "rows"] == ["0", "0"]
        panel = next(a for _, a in tags if a.get("id") == "detail")
        assert panel["aria-live"] == "polite"
        assert [tag for tag, _ in tags].count("h1") == 1


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_background(scheme):
    """WCAG's 4.5 to 1 for text, on the page and on its cards, in either scheme."""
    style = files("isthmus.report").joinpath("page.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", style, re.S)
    colours = dict(re.findall(r"--(\w+): (#\w+)", blocks[scheme]))
    for paper in ("paper", "card"):
        for text in ("ink", "faint", "good", "warn", "bad", "orange"):
            assert contrast(colours[text], colours[paper]) >= 4.5, (text, paper)
        assert contrast(colours["blue"], colours[paper]) >= 3  # of what is drawn


def contrast(a: str, b: str) -> float:
    """WCAG 2.2's ratio of relative luminances."""
    bright = sorted(_luminance(colour) for colour in (a, b))
    return (bright[1] + 0.05) / (bright[0] + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def opened(page: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The page in headless Chromium: its DOM after scripts ran, and what the console said."""
    (folder / "page.html").write_text(page)
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
        "--enable-logging=stderr", f"--log-net-log={folder / 'net.json'}", "--disable-background-networking",
        "--disable-component-update", *more, "--dump-dom", (folder / "page.html").as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("kind", ["table", "pictures"])
def test_a_browser_shows_it_without_a_complaint_and_asks_nobody(kind, request, tmp_path):
    """The script has filled the panel; the console is silent; the one request is the page itself."""
    done = opened(request.getfixturevalue(kind), tmp_path)
    assert done.returncode == 0, done.stderr[-500:]
    panel = done.stdout[done.stdout.index('id="detail"') :]
    assert "Row " in panel
    assert ("<canvas" if kind == "pictures" else "<table") in panel[:2000]
    assert 'class="dot chosen' in done.stdout or "chosen" in done.stdout
    assert "CONSOLE" not in done.stderr
    asked = re.findall(r'"url":"([^"]+)"', (tmp_path / "net.json").read_text())
    theirs = ("google", "gstatic", "gvt1")  # the browser's own errands
    strange = [url for url in asked if url.startswith("http") and not any(name in url for name in theirs)]
    assert strange == []


def test_the_command_line_writes_one(tmp_path):
    """Next to the model; an output that is no page is refused before any work."""
    rows = mixed_table()
    rows.to_csv(tmp_path / "t.csv", index=False)
    save(
        Autoencoder(5, trainer=FEW, random_state=0).fit(pd.read_csv(tmp_path / "t.csv")),
        tmp_path / "m.isthmus",
    )
    done = run("report", "m.isthmus", "t.csv", "-o", "r.html", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text()
    assert json.loads(done.stdout)["verdict"].split(":")[0] in page
    assert "isthmus report m.isthmus t.csv -o r.html" in page
    refused = run("report", "m.isthmus", "t.csv", "-o", "r.txt", folder=tmp_path)
    assert refused.returncode == 1
    assert ".html" in refused.stderr
