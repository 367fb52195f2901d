"""A run that was cut off goes on where it was; nothing damaged, half or foreign is taken."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_migration import small_synthetic
from small_run import QUICK as QUICKEST
from small_run import write_small
from softseg.errors import FileError
from softseg.results import files
from softseg.runs.chains import CHAINS, ChainFolder
from softseg.runs.choosing import choose_file, write_choice
from softseg.runs.folder import POSTERIOR, open_run
from softseg.runs.manifest import MANIFEST, Options
from softseg.runs.repeat import rerun
from softseg.runs.segment import segment
from softseg.tables.schema import Schema

QUICK = QUICKEST.model_copy(update={"method": "gibbs"})
KEY = "0" * 64
ARRAYS = {
    "state": np.array('{"inc": 340282366920938463463374607431768211455}'),
    "values of mean margin [/] 'EUR' ü": np.linspace(0.0, 1.0, 40).reshape(20, 2),
    "stats diverging": np.arange(20) % 7 == 0,
    "end share": np.array([0.25, 0.75]),
    "stats depth": np.arange(20, dtype=np.int64),
}


@pytest.fixture
def kept(tmp_path: Path) -> tuple[ChainFolder, Path]:
    """A folder with one chain, and its file."""
    chains = ChainFolder(tmp_path)
    chains.save(KEY, ARRAYS)
    (path,) = (tmp_path / CHAINS).iterdir()
    return chains, path


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Schema, Path]:
    """A table, its schema and a folder that does not exist yet."""
    table, schema = write_small(tmp_path)
    return table, Schema.from_toml(schema), tmp_path / "run"


def chain_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / CHAINS).glob("*.chain")}


# --- the files


def test_a_chain_comes_back_as_it_was(kept: tuple[ChainFolder, Path]) -> None:
    found = kept[0].load(KEY)
    assert found is not None
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert kept[0].load("1" * 64) is None
    assert len(kept[0]) == 1
    kept[0].clear()
    assert len(kept[0]) == 0


def test_200_flips_and_20_cuts_are_all_refused(kept: tuple[ChainFolder, Path]) -> None:
    chains, path = kept
    content, rng = path.read_bytes(), np.random.default_rng(220)
    refused = 0
    for place in [*rng.integers(len(content), size=198).tolist(), 0, -1]:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        refused += chains.load(KEY) is None
    for cut in np.linspace(0, len(content) - 1, 20):
        path.write_bytes(content[: int(cut)])
        refused += chains.load(KEY) is None
    assert refused == 220
    path.write_bytes(content)
    assert chains.load(KEY) is not None


@pytest.mark.skipif(os.name == "nt", reason="other permissions")
def test_only_the_owner_can_read_them(kept: tuple[ChainFolder, Path]) -> None:
    assert kept[1].stat().st_mode & 0o077 == 0
    assert kept[1].parent.stat().st_mode & 0o077 == 0


def test_a_chain_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / CHAINS).write_text("a file")
    with pytest.raises(FileError, match="could not be written"):
        ChainFolder(tmp_path).save(KEY, ARRAYS)


# --- a run that is cut off


class Cut(Exception):
    """The end of the power."""


def cut_after(chains: int, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    """End the run while it samples the chain after so many."""
    save, saved = ChainFolder.save, []

    def saves(self: ChainFolder, key: str, arrays: Any) -> None:
        save(self, key, arrays)
        saved.append(key)
        if len(saved) == chains:
            raise error

    monkeypatch.setattr(ChainFolder, "save", saves)


def test_a_run_that_was_cut_off_goes_on(
    given: tuple[Path, Schema, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, schema, folder = given
    whole = segment(table, schema, QUICK, folder.with_name("whole"), cores=1).run
    cut_after(2, monkeypatch, Cut)
    with pytest.raises(Cut):
        segment(table, schema, QUICK, folder, cores=1)
    monkeypatch.undo()
    before = chain_files(folder)
    # the next chain may be done before it learns of the end
    assert len(before) in (2, 3)
    assert not (folder / MANIFEST).exists()

    # One of them is damaged on the way: it is sampled again, the others are not.
    damaged = next(iter(before))
    (folder / CHAINS / damaged).write_bytes(before[damaged][:-100])
    save, saved = ChainFolder.save, []

    def saves(self: ChainFolder, key: str, arrays: Any) -> None:
        saved.append(f"{key}.chain")
        save(self, key, arrays)

    monkeypatch.setattr(ChainFolder, "save", saves)
    run = segment(table, schema, QUICK, folder, cores=1).run
    assert len(saved) == 4 - len(before) + 1
    assert damaged in saved
    assert run.manifest.files == whole.manifest.files
    assert not (folder / CHAINS).exists()


def test_other_options_take_no_chain_of_the_run_before(
    given: tuple[Path, Schema, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, schema, folder = given
    cut_after(2, monkeypatch, Cut)
    with pytest.raises(Cut):
        segment(table, schema, QUICK, folder, cores=1)
    monkeypatch.undo()
    other = QUICK.model_copy(update={"seed": 2})
    run = segment(table, schema, other, folder, cores=1).run
    whole = segment(table, schema, other, folder.with_name("whole"), cores=1).run
    assert run.manifest.files == whole.manifest.files
    assert not (folder / CHAINS).exists()


def test_a_full_disk_leaves_the_run_before(
    given: tuple[Path, Schema, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, schema, folder = given
    old = segment(table, schema, QUICK, folder, cores=1).run
    before = {name: (folder / name).read_bytes() for name in [*old.manifest.files, MANIFEST]}

    def full(handle: int, content: bytes) -> None:
        os.close(handle)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write_all", full)
    with pytest.raises(FileError, match=r"Free space or choose another folder: .*No space left"):
        segment(table, schema, QUICK.model_copy(update={"seed": 2}), folder, cores=1)
    assert all((folder / name).read_bytes() == body for name, body in before.items())
    assert not chain_files(folder)


# --- a choice that is cut off


def test_a_choice_that_was_cut_off_goes_on(
    given: tuple[Path, Schema, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, schema, folder = given
    few: dict[str, Any] = {"n_draws": 20, "n_tune": 20, "n_starts": 3, "seed": 1, "cores": 1}
    few["method"] = "gibbs"
    whole = choose_file(table, schema, 1, 2, **few)
    cut_after(6, monkeypatch, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        choose_file(table, schema, 1, 2, folder=folder, **few)
    monkeypatch.undo()
    before = chain_files(folder)
    assert 6 <= len(before) <= 8  # the next chains may be done before they learn of it
    cut_after(8 - len(before) + 1, monkeypatch, Cut)
    choice = choose_file(table, schema, 1, 2, folder=folder, **few)
    assert choice.table.equals(whole.table)
    assert chain_files(folder).items() >= before.items()
    assert len(chain_files(folder)) == 8
    monkeypatch.setattr("softseg.runs.choosing.read_prepared", interrupt)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        choose_file(table, schema, 1, 2, **few)
    write_choice(choice, folder)
    assert not (folder / CHAINS).exists()


def test_a_choice_for_a_panel_that_was_cut_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = small_synthetic()
    found.frame.to_csv(tmp_path / "panel.csv", index=False)
    few: dict[str, Any] = {"method": "laplace", "n_draws": 50, "n_starts": 2, "seed": 1, "cores": 1}
    asked = (tmp_path / "panel.csv", found.schema, 1, 2)
    whole = choose_file(*asked, **few)
    cut_after(1, monkeypatch, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        choose_file(*asked, folder=tmp_path / "run", **few)
    monkeypatch.undo()
    kept = chain_files(tmp_path / "run")
    assert len(kept) == 1
    cut_after(2, monkeypatch, Cut)
    choice = choose_file(*asked, folder=tmp_path / "run", **few)
    assert choice.table.equals(whole.table)
    assert choice == whole
    assert chain_files(tmp_path / "run").items() >= kept.items()


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


# --- Ctrl-C


def interrupted(
    given: tuple[Path, Schema, Path], monkeypatch: pytest.MonkeyPatch, options: Options = QUICK
):
    """Run, and interrupt once three of the four chains are finished."""
    import _thread

    save, saved = ChainFolder.save, []

    def saves(self: ChainFolder, key: str, arrays: Any) -> None:
        save(self, key, arrays)
        saved.append(key)
        if len(saved) == 3:
            _thread.interrupt_main()
            time.sleep(0.5)

    table, schema, folder = given
    monkeypatch.setattr(ChainFolder, "save", saves)
    try:
        return segment(table, schema, options, folder, cores=1)
    finally:
        monkeypatch.undo()


def test_ctrl_c_writes_what_is_finished(
    given: tuple[Path, Schema, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, schema, folder = given
    outcome = interrupted(given, monkeypatch)
    assert outcome.partial
    assert not outcome.passed
    assert outcome.run.manifest.gate == "partial"
    assert outcome.tree["posterior"].sizes["chain"] == 3
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "interrupted when 3 of 4 runs were finished" in page
    assert not (folder / "figures" / "profiles.svg").exists()
    whole = segment(table, schema, QUICK, folder.with_name("whole"), cores=1).run
    np.testing.assert_array_equal(
        outcome.tree["posterior"].to_dataset()["orders__rate"].sum("segment"),
        whole.tree()["posterior"].to_dataset()["orders__rate"].sum("segment")[:3],
    )
    # The same call goes on, and the partial run is replaced.
    run = segment(table, schema, QUICK, folder, cores=1).run
    assert run.manifest.files == whole.manifest.files
    assert not (folder / CHAINS).exists()


def test_a_partial_run_replaces_no_whole_one(
    given: tuple[Path, Schema, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, schema, folder = given
    old = segment(table, schema, QUICK, folder, cores=1).run
    other = QUICK.model_copy(update={"seed": 2})
    with pytest.raises(KeyboardInterrupt, match="no run was written"):
        interrupted(given, monkeypatch, other)
    assert open_run(folder).manifest == old.manifest
    assert len(chain_files(folder)) == 3
    old.verify(POSTERIOR)
    assert segment(table, schema, other, folder, cores=1).run.manifest.options == other


def test_a_repeated_run_that_is_interrupted_is_not_compared(
    given: tuple[Path, Schema, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, schema, folder = given
    old = segment(table, schema, QUICK, folder, cores=1).run
    where = folder.with_name("again")
    monkeypatch.setattr(
        "softseg.runs.repeat.segment",
        lambda *_, **__: interrupted((table, schema, where), pytest.MonkeyPatch()),
    )
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        rerun(old, where)


# --- the same from outside


def command(given: tuple[Path, Path, Path], *more: str) -> list[str]:
    table, schema, folder = given
    arguments = ["segment", table, "--schema", schema, "--out", folder, "--segments", "2"]
    arguments += [
        "--method",
        "gibbs",
        "--draws",
        "20000",
        "--tune",
        "100",
        "--starts",
        "3",
        "--cores",
        "1",
        *more,
    ]
    code = "import sys; from softseg.cli import main; sys.exit(main())"
    return [sys.executable, "-c", code, *map(str, arguments)]


def wait_for_chains(folder: Path, n: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and len(chain_files(folder)) < n:
        time.sleep(0.02)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.slow
def test_kill_then_ctrl_c_then_the_end(tmp_path: Path) -> None:
    table, schema = write_small(tmp_path)
    folder = tmp_path / "run"
    told = command((table, schema, folder))
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    with subprocess.Popen(told, **streams) as process:
        wait_for_chains(folder, 1, process)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / MANIFEST).exists()
    kept = chain_files(folder)
    assert kept

    with subprocess.Popen(told, **streams) as process:
        wait_for_chains(folder, len(kept) + 1, process)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert process.returncode == 130, said
    assert "The same command goes on" in said
    assert "Traceback" not in said
    assert open_run(folder).manifest.gate == "partial"
    assert kept.items() <= chain_files(folder).items()

    done = subprocess.run(told, check=False, **streams)
    assert done.returncode == 0, done.stderr
    whole = tmp_path / "whole"
    alone = subprocess.run(command((table, schema, whole)), check=False, **streams)
    assert alone.returncode == 0, alone.stderr
    assert open_run(folder).manifest.files == open_run(whole).manifest.files
    assert not (folder / CHAINS).exists()
