"""The command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Isthmus with these arguments, in a process of its own."""
    command = [sys.executable, "-m", "isthmus.cli", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)
