"""Run the benchmarks and keep what they print: `python benchmarks/run.py [NAME ...] [--small]`.

Each script prints Markdown; what it prints goes to `results/NAME.md` as it comes, below the machine, the
versions, the date and the command, so that a script that breaks off leaves what it had. With --small
sizes are tiny, to see that it works, and the results go to a folder under the system's temporary one.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import say

HERE = Path(__file__).resolve().parent
SCRIPTS = (
    "import_time",
    "first_fit",
    "step_ceiling",
    "contraction_cost",
    "many",
    "many_two",
    "scoring_speed",
    "scaling",
    "training_speed",
    "training_speed_wide",
    "training_speed_two",
    "training_speed_wide_two",
    "on_a_gpu",
    "out_of_core",
    "bf16_long",
    "patients",
    "pixel_losses",
    "anomaly",
    "anomaly_file_order",
    "anomaly_speed",
    "series",
    "denoising_photos",
    "denoising_digits",
    "denoising_audio",
    "inpainting",
    "scratches",
    "mnist30",
    "imputation",
    "retrieval",
    "retrieval_index",
    "audit",
    "component_curve",
)
PACKAGES = (
    *("torch", "numpy", "scikit-learn", "narwhals", "pandas", "pyarrow", "onnx", "onnxruntime"),
    *("pyod", "keras", "jax", "pythae", "gcimpute", "noisereduce", "scikit-image", "bm3d"),
    *("opencv-python-headless", "faiss-cpu", "usearch", "psycopg"),
)


def machine() -> str:
    """Processor, cores, memory, and how busy it is at this moment."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        named = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    try:
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"
    except (AttributeError, ValueError):
        memory = ""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return f"{model}, {os.cpu_count()} cores{memory}, {platform.system()}; load average at start {load}"


def versions() -> str:
    """Of Python, of isthmus and its commit, and of every package and peer that is found."""
    path = [*sys.path, os.environ.get("ISTHMUS_PEERS", "")]
    found = {d.name.lower(): d.version for d in importlib.metadata.distributions(path=path) if d.name}
    listed = [f"{name} {found[name]}" for name in PACKAGES if name in found]
    git = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    try:
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "no commit known"
    ours = f"isthmus {found.get('isthmus', '')} ({commit})"
    return ", ".join([f"Python {platform.python_version()}", ours, *listed])


def run(name: str, small: bool, folder: Path) -> int:
    """One script; its exit status."""
    command = [f"{name}.py", *(["--small"] if small else [])]
    say(f"==== {name}")
    start = time.perf_counter()
    with (folder / f"{name}.md").open("w") as file:

        def put(text: str) -> None:
            print(text, end="", flush=True)
            file.write(text)
            file.flush()

        facts = {
            "command": f"`python benchmarks/{' '.join(command)}`",
            "date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
            "machine": machine(),
            "versions": versions(),
        }
        put(f"# {name}\n\n" + "".join(f"- {key}: {value}\n" for key, value in facts.items()) + "\n")
        script = [sys.executable, "-u", str(HERE / command[0]), *command[1:]]
        with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as running:
            for line in running.stdout or ():
                put(line)
        minutes = (time.perf_counter() - start) / 60
        if running.returncode:
            put(f"\n**Broke off with exit status {running.returncode}.**\n")
        put(f"\nTook {minutes:.1f} minutes.\n")
    return running.returncode


def main() -> None:
    """Run what was named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(SCRIPTS)}")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that everything works")
    options = parser.parse_args()
    unknown = set(options.names) - set(SCRIPTS)
    if unknown:
        parser.error(f"NAME must be one of {', '.join(SCRIPTS)}; got {', '.join(sorted(unknown))}")
    folder = Path(tempfile.gettempdir()) / "isthmus-benchmarks" if options.small else HERE / "results"
    folder.mkdir(exist_ok=True)
    broken = [name for name in options.names or SCRIPTS if run(name, options.small, folder)]
    say(f"results in {folder}" + (f"; broke off: {', '.join(broken)}" if broken else ""))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
