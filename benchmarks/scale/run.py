"""Measure what a large table costs besides the sampler; each case in a process of its own.

``python benchmarks/scale/run.py`` lists the cases; ``run.py memberships --kind mixed --segments 4``
runs one. Every stage is printed with its wall seconds, CPU seconds and the peak memory so far.
"""

import argparse
import contextlib
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Print what the block took."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    tell(name, wall, cpu)


def tell(name: str, wall: float, cpu: float) -> None:
    """Print what was taken since a moment, with the load of the machine, others' work included."""
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    load = os.getloadavg()[0]
    print(
        f"{name:28s} {wall:8.2f} s {cpu:8.2f} CPU s   peak {peak:5.2f} GiB   load {load:4.1f}",
        flush=True,
    )


class Stages:
    """A progress callback that prints what each stage took."""

    def __init__(self) -> None:
        self._name, self._begin = "", (0.0, 0.0)

    def __call__(self, name: str, share: float) -> None:
        """Print the stage before, where another one begins."""
        del share
        if name != self._name:
            self.end()
            self._name, self._begin = name, (time.perf_counter(), time.process_time())

    def end(self) -> None:
        """Print the last stage."""
        if self._name:
            tell(f"  fit: {self._name}", *self._begin)
        self._name = ""


def whole(given: argparse.Namespace) -> None:
    """From the frame to the files of a run folder, through the gate; nothing replaced."""
    from worlds import world

    from softseg.inference.fit import fit
    from softseg.results.assemble import assemble
    from softseg.results.exports import write_memberships
    from softseg.results.storage import save
    from softseg.tables.prepare import prepare

    def run(rows: int, folder: str, told: bool) -> None:
        made = world(given.kind, given.segments, rows, missing=given.missing)
        quiet = contextlib.nullcontext
        begin = stage if told else lambda name: quiet()
        with begin("all"):
            with begin("prepare"):
                table = prepare(made.frame, made.schema)
            stages = Stages()
            with begin("fit"):
                found = fit(table, given.segments, seed=1, progress=stages if told else None)
                stages.end()
            with begin("memberships, sizes, profile"):
                tree = assemble(found)
            with begin("memberships.parquet"):
                members = tree["membership"].to_dataset()
                write_memberships(Path(folder) / "memberships.parquet", members)
            with begin("posterior.nc"):
                save(tree, Path(folder) / "posterior.nc")
        if told:
            print(
                f"  {found.method}, gate {found.diagnosis.status}, fit {found.verdict.status}, "
                f"{found.statistics.n_patterns} patterns, "
                f"{tree['membership'].attrs['n_draws']} draws for the intervals"
            )

    with tempfile.TemporaryDirectory() as folder:
        run(2_000, folder, told=False)  # so that compilation is left out
        run(given.rows, folder, told=True)


def memberships(given: argparse.Namespace) -> None:
    """From the frame to the files of a run folder, the sampler replaced by known draws."""
    from worlds import draws_around, world

    from softseg.inference.predictive import check_fit
    from softseg.likelihood.statistics import reduce
    from softseg.models.mixture import specify
    from softseg.names import MEMBERSHIP
    from softseg.results.assemble import data_hash
    from softseg.results.describe import describe
    from softseg.results.exports import write_memberships
    from softseg.results.storage import save
    from softseg.results.tree import posterior_tree
    from softseg.tables.dependence import missing_related
    from softseg.tables.prepare import prepare

    small = world(given.kind, given.segments, 2_000, missing=given.missing)
    _warm(small, given.segments)
    made = world(given.kind, given.segments, given.rows, missing=given.missing)
    draws = draws_around(made.truth, given.rows, (4, given.draws // 4))
    whole = stage("all")
    with whole:
        with stage("prepare"):
            table = prepare(made.frame, made.schema)
        with stage("reduce"):
            statistics = reduce(table)
        print(f"  {statistics.n_patterns} patterns")
        with stage("tail and fit check"):
            mixture = specify(table.schema, given.segments)
            rng = np.random.default_rng(1)
            verdict, tail = check_fit(statistics, table, mixture, draws.flattened(), rng)
        print(f"  {verdict.status}, {verdict.unusual:.4f} unusual")
        with stage("memberships, sizes, profile"):
            shape = draws.share.shape[:2]
            stats = {"log_likelihood": np.zeros(shape)}
            attributes = {"seed": 1, "versions": {}}
            tree = posterior_tree(draws, table.schema, sample_stats=stats, attributes=attributes)
            describe(tree, table, statistics, tail_probability=tail)
        n_used = tree[MEMBERSHIP].attrs["n_draws"]
        print(f"  {n_used} draws, mean entropy {float(tree[MEMBERSHIP]['entropy'].mean()):.4f}")
        with stage("hash and gaps"):
            data_hash(table)
            missing_related(table)
        with tempfile.TemporaryDirectory() as folder:
            with stage("memberships.parquet"):
                members = tree[MEMBERSHIP].to_dataset()
                write_memberships(Path(folder) / "memberships.parquet", members)
            with stage("posterior.nc"):
                save(tree, Path(folder) / "posterior.nc")


def scoring(given: argparse.Namespace) -> None:
    """New customers under a stored posterior, all at once and one by one."""
    from worlds import draws_around, world

    from softseg.likelihood.statistics import reduce
    from softseg.results.describe import describe
    from softseg.results.scoring import Scorer
    from softseg.results.tree import posterior_tree
    from softseg.tables.prepare import prepare

    made = world(given.kind, given.segments, 20_000, missing=given.missing)
    table = prepare(made.frame, made.schema)
    draws = draws_around(made.truth, 20_000, (4, given.draws // 4))
    stats = {"log_likelihood": np.zeros(draws.share.shape[:2])}
    attributes = {"seed": 1, "versions": {}}
    tree = posterior_tree(draws, table.schema, sample_stats=stats, attributes=attributes)
    describe(tree, table, reduce(table))
    tree["membership"].attrs["n_draws"] = given.used
    new = world(given.kind, given.segments, given.rows, missing=given.missing).frame
    scorer = Scorer(tree)
    scorer.score(new.iloc[:2_000])
    times = []
    for i in range(50):
        one = new.iloc[i : i + 1]
        begin = time.perf_counter()
        scorer.score(one)
        times.append(time.perf_counter() - begin)
    print(f"one customer: median {1e3 * np.median(times):.2f} ms, least {1e3 * min(times):.2f} ms")
    with stage(f"{given.rows} customers"):
        scorer.score(new)


def _warm(small: object, n_segments: int) -> None:
    """Run everything once on a small table, so that compilation is left out."""
    from worlds import draws_around

    from softseg.inference.predictive import check_fit
    from softseg.likelihood.statistics import reduce
    from softseg.models.mixture import specify
    from softseg.results.describe import describe
    from softseg.results.tree import posterior_tree
    from softseg.tables.prepare import prepare

    table = prepare(small.frame, small.schema)
    draws = draws_around(small.truth, 2_000, (4, 50))
    mixture = specify(table.schema, n_segments)
    statistics = reduce(table)
    check_fit(statistics, table, mixture, draws.flattened(), np.random.default_rng(1))
    stats = {"log_likelihood": np.zeros((4, 50))}
    attributes = {"seed": 1, "versions": {}}
    tree = posterior_tree(draws, table.schema, sample_stats=stats, attributes=attributes)
    describe(tree, table, statistics)


def streaming(given: argparse.Namespace) -> None:
    """A file of discrete indicators, batch by batch: its patterns, then the memberships."""
    import subprocess
    import sys

    from worlds import draws_around, world

    from softseg.likelihood.statistics import reduce
    from softseg.results.describe import describe
    from softseg.results.scoring import score_file
    from softseg.results.tree import posterior_tree
    from softseg.tables.prepare import prepare_file
    from softseg.tables.stream import can_stream

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.parquet"
        make = [sys.executable, str(Path(__file__).with_name("worlds.py")), str(path)]
        # In a process of its own, so that its memory is not counted.
        subprocess.run([*make, str(given.rows), str(given.segments)], check=True)
        print(f"  {path.stat().st_size / 2**20:.0f} MiB")
        made = world("categorical", given.segments, 10)
        assert can_stream(path, made.schema)
        with stage("all"):
            with stage("patterns of the file"):
                table = prepare_file(path, made.schema)
                statistics = reduce(table)
            print(f"  {statistics.n_customers:.0f} customers, {statistics.n_patterns} patterns")
            with stage("memberships, sizes, profile"):
                draws = draws_around(made.truth, given.rows, (4, given.draws // 4))
                stats = {"log_likelihood": np.zeros(draws.share.shape[:2])}
                attributes = {"seed": 1, "versions": {}}
                tree = posterior_tree(
                    draws, table.schema, sample_stats=stats, attributes=attributes
                )
                describe(tree, table, statistics)
            with stage("memberships of all customers"):
                verdicts, _ = score_file(tree, path, Path(folder) / "memberships.parquet")
            print(f"  {sum(verdicts.values())} customers written")


CASES = {"whole": whole, "memberships": memberships, "scoring": scoring, "streaming": streaming}


def main() -> None:
    """Run one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=list(CASES))
    parser.add_argument("--kind", choices=["mixed", "categorical"], default="mixed")
    parser.add_argument("--segments", type=int, default=4)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--draws", type=int, default=4_000, help="of the posterior")
    parser.add_argument("--used", type=int, default=200, help="for the intervals of new customers")
    parser.add_argument("--missing", type=float, default=0.0, help="share of missing cells")
    given = parser.parse_args()
    print(f"{given.case}, {vars(given)}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    CASES[given.case](given)


if __name__ == "__main__":
    main()
