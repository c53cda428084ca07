"""The tutorial: every line of every page runs, and the pages in the repository are of these scripts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "tutorial"
PAGES = sorted(page for page in FOLDER.glob("*.py") if page.name != "build.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_line_of_a_page_runs(page, tmp_path):
    """One epoch each; text, code, output and pictures are all there."""
    command = [sys.executable, str(FOLDER / "build.py"), page.stem, "--quick", "-o", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    made = (tmp_path / f"{page.stem}.md").read_text()
    pictures = re.findall(r"\]\((\d_\w+-\d+\.(?:png|jpg))\)", made)
    assert pictures
    assert all(2_000 < (tmp_path / name).stat().st_size < 150_000 for name in pictures)
    assert "```text" in made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_that_is_read_is_of_the_script_that_runs(page):
    """Its code stands in the Markdown as it is, and every link leads somewhere."""
    made, script = page.with_suffix(".md").read_text(), page.read_text()
    blocks = [
        part.split("\n", 1)[1]
        for part in re.split(r"^# %%", script, flags=re.M)[1:]
        if not part.startswith(" [")
    ]
    assert blocks
    assert all(block.strip("\n") in made for block in blocks)
    for link in re.findall(r"\]\(([^)#]+)", made):
        assert (FOLDER / link).exists(), link


def test_the_index_names_every_page():
    """In order."""
    named = re.findall(r"\((\d_\w+)\.md\)", (FOLDER / "README.md").read_text())
    assert named == [page.stem for page in PAGES]
