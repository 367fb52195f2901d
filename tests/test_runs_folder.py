"""Run folders before a run: who may write, what is cleared, which manifest is refused."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from softseg.errors import FileError, FolderLocked
from softseg.runs.folder import open_run, remove_inside, staged
from softseg.runs.lock import LOCK_NAME, locked
from softseg.runs.manifest import MANIFEST, Manifest, Options, read_manifest, way_to

# --- the lock


def test_a_locked_folder_is_refused_until_it_is_free(tmp_path: Path) -> None:
    with locked(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK_NAME).read_text() == f"{os.getpid()}\n"
        with pytest.raises(FolderLocked, match=f"another run \\(process {os.getpid()}\\)"):
            locked(tmp_path / "run").__enter__()
    assert not (tmp_path / "run" / LOCK_NAME).exists()
    with locked(tmp_path / "run"):
        pass


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom softseg.runs.lock import locked\n"
        "with locked(sys.argv[1]):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(FolderLocked, match=f"process {process.pid}"):
            locked(tmp_path).__enter__()
        os.kill(process.pid, signal.SIGKILL)
    assert (tmp_path / LOCK_NAME).exists()
    with locked(tmp_path):
        assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="could not be written"):
        locked(tmp_path / "file").__enter__()


# --- manifest and files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "no manifest of it, or it is damaged"),
        (b"[]", "no manifest of it, or it is damaged"),
        (b'{"softseg_manifest": 1}', "no manifest of it, or it is damaged"),
        (b'{"softseg_manifest": 2}', "Update softseg"),
    ],
)
def test_a_strange_manifest_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(FileError, match=words):
        read_manifest(tmp_path)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"manifest\.json cannot be read"):
        open_run(tmp_path)


def test_no_file_outside_the_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "precious").write_text("")
    remove_inside(tmp_path / "run", "../precious")
    assert (tmp_path / "precious").exists()


def test_half_written_files_of_a_killed_run_are_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".softseg-dead.tmp"
    left.mkdir()
    (left / "posterior.nc").write_text("half")
    with staged(tmp_path) as stage:
        assert not left.exists()
        (stage / "figures" / "sizes.svg").write_text("<svg/>")
    assert list(tmp_path.iterdir()) == []


def test_the_way_to_the_table_is_relative(tmp_path: Path) -> None:
    assert way_to(tmp_path / "a" / "t.csv", tmp_path / "b" / "run") == "../../a/t.csv"


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Options(segments=0)
    assert json.loads(Options(segments=3).model_dump_json())["segments"] == 3
    assert Manifest.model_fields.keys() >= {"versions", "data_hash", "options", "files"}
