"""Whether a run survives: kills, Ctrl-C, damaged files, a full disk, two processes at once.

A killed run is a process of its own that gives the command; it is ended by SIGKILL at a random
moment, and then the same command is given again. The processes are forked from this one, which has
loaded the packages and compiled the model before, so that 80 of them do not start from nothing.
"""

import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

KILLS = 20
FLIPS, CUTS = 200, 20
DISK = 2_000_000
"""Bytes of the small disk."""
OPTIONS: dict[str, list[str]] = {
    "laplace": ["--draws", "1000", "--starts", "3"],
    "gibbs": ["--draws", "4000", "--tune", "100", "--starts", "3"],
    "nuts": ["--draws", "400", "--tune", "100", "--starts", "3"],
}
SCHEMA = """version = 1

[indicators]
orders = "poisson"
margin = "gaussian"
online = "bernoulli"
"""


def methods() -> list[str]:
    """Return the methods there are, ``auto`` left out."""
    from softseg.inference.sample import Method

    return [name for name in get_args(Method) if name != "auto"]


def units() -> list[str]:
    """Return the names of all proofs."""
    kills = [f"kill/{method}/{i}" for i in range(KILLS) for method in methods()]
    stops = [f"interrupt/{method}" for method in methods()]
    others = ["damaged/posterior", "damaged/chain", "disk/old", "disk/first", "twice/first"]
    return [*kills, *stops, *others]


def work(unit: str) -> dict[str, Any]:
    """Do one proof and return what was found."""
    kind, *rest = unit.split("/")
    proofs: dict[str, Callable[..., dict[str, Any]]] = {
        "kill": killed,
        "interrupt": interrupted,
        "damaged": damaged,
        "disk": full_disk,
        "twice": two_processes,
    }
    with tempfile.TemporaryDirectory() as name:
        return proofs[kind](Path(name), *rest) | {"commit": _commit()}


def killed(folder: Path, method: str, number: str) -> dict[str, Any]:
    """Kill a run at a random moment and give the command again.

    The first half of the kills fall while chains are sampled: so many chains are finished, and the
    next one has begun. The other half fall anywhere.
    """
    from softseg.runs.chains import CHAINS

    whole = _whole(method)
    seconds, kept_at = whole.seconds, whole.kept_at
    rng = np.random.default_rng([ord(letter) for letter in method] + [int(number)])
    table = _table(folder)
    tries = 0
    while True:
        tries += 1
        run, begun = folder / f"run-{tries}", time.monotonic()
        process = _forked(table, run, method)
        if int(number) < KILLS // 2:
            finished = int(rng.integers(len(kept_at)))
            _wait_for(run, finished, 10 * seconds)
            time.sleep(float(rng.uniform()) * float(np.diff([0.0, *kept_at])[finished]))
        else:
            time.sleep(float(rng.uniform(0.02, 1.0)) * seconds)
        moment = time.monotonic() - begun
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        if os.WIFSIGNALED(status):
            break
        seconds *= 0.8  # it was done before: other work on the machine has ended
    kept = _kept(run)
    published = (run / "manifest.json").exists()
    code = os.waitstatus_to_exitcode(os.waitpid(_forked(table, run, method), 0)[1])
    return {
        "second": moment,
        "kept": kept,
        "published": published,
        "code": code,
        "identical": _files(run) == whole.files,
        "left": (run / CHAINS).exists(),
    }


def interrupted(folder: Path, method: str) -> dict[str, Any]:
    """Press Ctrl-C once two chains are finished, and give the command again.

    Draws that are made in one piece are interrupted half way through the run.
    """
    from softseg.runs.folder import manifest_of, open_run

    whole = _whole(method)
    seconds = whole.seconds
    table = _table(folder)
    tries = 0
    while True:
        tries += 1
        run, said = folder / f"run-{tries}", folder / "said"
        process = _forked(table, run, method, said=said)
        _wait_for(run, 2, 10 * seconds if len(whole.kept_at) > 1 else seconds / 2)
        pressed = time.monotonic()
        os.kill(process, signal.SIGINT)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        ended = time.monotonic() - pressed
        if code != 0 or tries == 5:
            break
        seconds *= 0.8
    manifest = manifest_of(run)
    partial = manifest is not None and manifest.gate == "partial"
    chains = open_run(run).tree()["posterior"].sizes["chain"] if partial else 0
    trace = "Traceback" in said.read_text()
    again = os.waitstatus_to_exitcode(os.waitpid(_forked(table, run, method), 0)[1])
    return {
        "interrupted": code,
        "after": ended,
        "partial": partial,
        "chains": chains,
        "traceback": trace,
        "code": again,
        "identical": _files(run) == whole.files,
    }


def damaged(folder: Path, kind: str) -> dict[str, Any]:
    """Flip bits and cut files; count what is refused."""
    from softseg.errors import FileError
    from softseg.results.storage import load
    from softseg.runs.chains import CHAINS, ChainFolder

    path, key = folder / "posterior.nc", "0" * 64
    if kind == "chain":
        ChainFolder(folder).save(key, {"share": np.random.default_rng(1).random((1000, 3))})
        (path,) = (folder / CHAINS).iterdir()
    else:
        path.write_bytes(_whole("gibbs").posterior)
    content, rng = path.read_bytes(), np.random.default_rng(220)

    def refused() -> bool:
        if kind == "chain":
            return ChainFolder(folder).load(key) is None
        try:
            load(path)
        except FileError:
            return True
        return False

    intact, found = not refused(), 0
    for place in rng.choice(len(content), size=FLIPS, replace=False):
        flipped = bytearray(content)
        flipped[place] ^= int(rng.integers(1, 256))
        path.write_bytes(flipped)
        found += refused()
    for cut in np.linspace(0, len(content) - 1, CUTS):
        path.write_bytes(content[: int(cut)])
        found += refused()
    return {"bytes": len(content), "intact": intact, "refused": found, "of": FLIPS + CUTS}


def full_disk(folder: Path, kind: str) -> dict[str, Any]:
    """Run on a disk that fills up, with a run on it (``old``) or without."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return {"skipped": "mounting a small disk needs Linux and root"}
    table, disk = _table(folder), folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        return {"skipped": f"mounting is not allowed: {mounted.stderr.strip()}"}
    try:
        run = disk / "run"
        if kind == "old":
            code = os.waitstatus_to_exitcode(os.waitpid(_forked(table, run, "gibbs"), 0)[1])
            if code != 0:
                raise RuntimeError(f"the run before ended with {code}")
        before = _files(run)
        room = shutil.disk_usage(disk).free
        with (disk / "filler").open("wb") as filler:
            filler.write(b"x" * max(room - 100_000, 0))
        said = folder / "said"
        process = _forked(table, run, "gibbs", "--seed", "2", said=said)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        lines = [line for line in said.read_text().splitlines() if "could not be written" in line]
        after = _files(run)
        return {
            "code": code,
            "sentences": len(lines),
            "traceback": "Traceback" in said.read_text(),
            "intact": before == after,
            "files": len(before),
        }
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def two_processes(folder: Path, _: str) -> dict[str, Any]:
    """Give the same command twice at the same time."""
    from softseg.runs.lock import LOCK_NAME

    table, run = _table(folder), folder / "run"
    first = _forked(table, run, "gibbs")
    while not (run / LOCK_NAME).exists():
        time.sleep(0.01)
    time.sleep(0.2)
    second = os.waitstatus_to_exitcode(os.waitpid(_forked(table, run, "gibbs"), 0)[1])
    code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    return {"first": code, "second": second, "identical": _files(run) == _whole("gibbs").files}


def _forked(table: Path, run: Path, method: str, *more: str, said: Path | None = None) -> int:
    """Return the process id of a command that has just begun."""
    _ready()
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    code = 70
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (
            (said or Path(os.devnull)).open("w") as stream,
            redirect_stdout(stream),
            redirect_stderr(stream),
        ):
            code = _command(_arguments(table, run, method, *more))
    finally:
        os._exit(code)


def _command(arguments: list[str]) -> int:
    from softseg.cli import app

    try:
        app(arguments)
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def _arguments(table: Path, run: Path, method: str, *more: str) -> list[str]:
    schema = table.with_name("given.toml")
    asked = ["segment", str(table), "--schema", str(schema), "--out", str(run), "--segments", "2"]
    options = OPTIONS.get(method, OPTIONS["gibbs"])
    return [*asked, "--method", method, "--cores", "1", *options, *more]


class Whole(NamedTuple):
    """A run that nobody disturbs.

    Attributes
    ----------
    files
        Hash of every file.
    seconds
        How long it took.
    kept_at
        Seconds at which each chain was kept.
    posterior
        Content of posterior.nc.
    """

    files: dict[str, str]
    seconds: float
    kept_at: list[float]
    posterior: bytes


@functools.cache
def _whole(method: str) -> Whole:
    """Return a run that nobody disturbs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, run, begun = _table(folder), folder / "run", time.monotonic()
        said, kept_at = folder / "said", []
        process, ended, status = _forked(table, run, method, said=said), 0, 0
        while not ended:
            ended, status = os.waitpid(process, os.WNOHANG)
            kept_at += [time.monotonic() - begun] * (_kept(run) - len(kept_at))
            time.sleep(0.01)
        seconds = time.monotonic() - begun
        if os.waitstatus_to_exitcode(status) not in (0, 6):
            raise RuntimeError(said.read_text())
        return Whole(_files(run), seconds, kept_at, (run / "posterior.nc").read_bytes())


def _wait_for(run: Path, chains: int, seconds: float) -> None:
    """Wait until so many chains are kept or the run is written, but not longer than so long."""
    latest = time.monotonic() + seconds
    while _kept(run) < chains and time.monotonic() < latest:
        if (run / "manifest.json").exists():
            return
        time.sleep(0.005)


def _kept(run: Path) -> int:
    from softseg.runs.chains import CHAINS

    return len([*(run / CHAINS).glob("*.chain")])


def _commit() -> str:
    """Return the short name of the commit that the code stands at."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _files(run: Path) -> dict[str, str]:
    """Return the hash of every file of a run that is not a chain or a lock."""
    from softseg.results.files import sha256

    files = (path for path in run.rglob("*") if path.is_file())
    names = {path: path.relative_to(run).as_posix() for path in files}
    return {name: sha256(path) for path, name in names.items() if not name.startswith(".")}


def _table(folder: Path) -> Path:
    """Write 100 customers of two kinds, and the schema beside them."""
    rng = np.random.default_rng(3)
    kind = rng.integers(2, size=100)
    frame = pd.DataFrame(
        {
            "orders": rng.poisson(np.where(kind, 12, 3)),
            "margin": np.round(rng.normal(np.where(kind, 30, 10), 4), 2),
            "online": np.where(rng.random(100) < np.where(kind, 0.8, 0.2), "yes", "no"),
        }
    )
    frame.to_csv(folder / "customers.csv", index=False)
    (folder / "given.toml").write_text(SCHEMA, encoding="utf-8")
    return folder / "customers.csv"


@functools.cache
def _ready() -> None:
    """Load all packages and compile what is compiled, once for all forks."""
    from softseg.inference import nuts as module
    from softseg.likelihood.statistics import reduce
    from softseg.models.mixture import specify
    from softseg.runs.segment import read_prepared
    from softseg.tables.schema import Schema

    with tempfile.TemporaryDirectory() as name:
        table = _table(Path(name))
        few = ["--draws", "20", "--tune", "5", "--starts", "2"]
        with (
            Path(os.devnull).open("w") as stream,
            redirect_stdout(stream),
            redirect_stderr(stream),
        ):
            _command([*_arguments(table, Path(name) / "run", "gibbs"), *few])
            _command([*_arguments(table, Path(name) / "run", "laplace"), *few])
        schema = Schema.from_toml(table.with_name("given.toml"))
        prepared = read_prepared(table, schema)
    statistics, mixture = reduce(prepared), specify(prepared.schema, 2)
    # Every fork takes the machine code that stands here already.
    module.engine_for(statistics, mixture, mixture.draw_prior(np.random.default_rng(1)))


def section(found: Mapping[str, Any]) -> list[str]:
    """Return the section of the page, as lines of Markdown."""
    commits = sorted({row["commit"] for row in found.values()})
    lines = [
        "## Surviving",
        "",
        f"`python scripts/calibrate.py survival`, at commit {', '.join(commits)}.",
        "",
        "100 customers, two segments, `softseg segment` in a process of its own. *Kills*: SIGKILL, "
        "then the same command again; half of them while chains are sampled (a random number is "
        "finished, the next one has begun), half at a random moment of the run. *Identical*: every "
        "file of the run has the bytes that a run without kill has. *Chains kept*: how many kills "
        "found 0, 1, 2, … chains finished; laplace makes its draws in one piece.",
        "",
        "| method | kills | identical | killed after, s | chains kept: kills | left behind |",
        "|---|---|---|---|---|---|",
    ]
    for method in methods():
        rows = [r for unit, r in found.items() if unit.startswith(f"kill/{method}/")]
        if rows:
            seconds = sorted(row["second"] for row in rows)
            counts = Counter(row["kept"] for row in rows)
            kept = ", ".join(f"{n}: {counts[n]}" for n in sorted(counts))
            good = sum(row["identical"] and row["code"] == 0 for row in rows)
            lines.append(
                f"| {method} | {len(rows)} | {good} | {seconds[0]:.1f} to {seconds[-1]:.1f} | "
                f"{kept} | {sum(row['left'] for row in rows)} |"
            )
    lines += [
        "",
        "*Ctrl-C*: pressed once two chains are finished, half way through laplace; then the same "
        "command again. *Ended after*: from the key to the end of the process, what is finished "
        "being written.",
        "",
        "| method | exit code | ended after, s | partial run of | traceback | then identical |",
        "|---|---|---|---|---|---|",
    ]
    for method in methods():
        if row := found.get(f"interrupt/{method}"):
            partial = f"{row['chains']} chains" if row["partial"] else "none written"
            good = row["identical"] and row["code"] == 0
            lines.append(
                f"| {method} | {row['interrupted']} | {row['after']:.1f} | {partial} | "
                f"{_yes(row['traceback'])} | {_yes(good)} |"
            )
    lines += ["", "| proof | outcome |", "|---|---|"]
    lines += [f"| {_PROOFS[unit]} | {_outcome(found[unit])} |" for unit in _PROOFS if unit in found]
    return [*lines, ""]


def _yes(whether: bool) -> str:
    return "yes" if whether else "no"


_PROOFS = {
    "damaged/posterior": "Flipped bytes and cuts, `posterior.nc`",
    "damaged/chain": "Flipped bytes and cuts, a chain that was kept",
    "disk/first": f"Full disk of {DISK / 1e6:.0f} MB, first run",
    "disk/old": f"Full disk of {DISK / 1e6:.0f} MB, a run stands there",
    "twice/first": "Two processes on one folder",
}


def _outcome(row: Mapping[str, Any]) -> str:
    if "skipped" in row:
        return f"not done: {row['skipped']}"
    if "refused" in row:
        read = "read" if row["intact"] else "NOT read"
        return f"{row['refused']} of {row['of']} refused; the intact file is {read}"
    if "sentences" in row:
        trace = "with" if row["traceback"] else "no"
        old = "untouched" if row["intact"] else "CHANGED"
        return (
            f"exit code {row['code']}, {row['sentences']} sentence, {trace} traceback; "
            f"{row['files']} old files {old}"
        )
    same = "is" if row["identical"] else "is NOT"
    return (
        f"exit code of the second {row['second']}, of the first {row['first']}, whose run {same} "
        "that of one process alone"
    )
