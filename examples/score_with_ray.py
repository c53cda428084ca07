"""A folder or bucket of Parquet through a saved model, on one machine or on a Ray cluster.

    python examples/score_with_ray.py m.isthmus s3://bucket/in/ s3://bucket/out/ --what scores --keep id

Needs `pip install 'isthmus[ray]'`. Every task takes one core, and Ray runs as many as there are; leave
`--workers` a core or more below what the cluster has, or there is nobody to read the files.
"""

from __future__ import annotations

import argparse

import ray

from isthmus import Scorer


def main() -> None:
    """Read, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "source", "target"):
        parser.add_argument(name)
    parser.add_argument("--what", default="codes", help="codes, errors, reconstruction or scores")
    parser.add_argument("--keep", nargs="*", default=[], help="columns to carry along, such as a key")
    parser.add_argument("--workers", type=int, default=None, help="most tasks that score at a time")
    given = parser.parse_args()
    scorer = Scorer(given.model, given.what, keep=given.keep)  # a wrong model fails here, not on a worker
    tasks = ray.data.TaskPoolStrategy(size=given.workers)
    rows = ray.data.read_parquet(given.source)
    scored = rows.map_batches(scorer, batch_format="pandas", batch_size=4096, compute=tasks)
    scored.write_parquet(given.target)


if __name__ == "__main__":
    main()
