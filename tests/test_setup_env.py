"""The helpers of scripts/setup_env.py, without network and without an installation."""

import ast
import os
import sys
from pathlib import Path

import pytest

import setup_env

ROOT = Path(setup_env.__file__).resolve().parent.parent


@pytest.fixture
def tool(tmp_path):
    """Make a small program that prints something and ends with a return code."""

    def make(folder: str, name: str, prints: str, code: int = 0) -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{prints}'\nexit {code}\n")
        path.chmod(0o755)
        return path

    return make


posix = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("uv 0.13.9 (x86_64-unknown-linux-gnu)", (0, 13)),
        ("3.13 /usr/bin/python3.13", (3, 13)),
        ("uv: command not found", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_version_in(text, version):
    assert setup_env.version_in(text) == version


def test_no_version_is_older_than_any():
    assert setup_env.version_in("nothing") < setup_env.OLDEST_UV


def test_answer_is_none_when_a_command_fails_or_is_missing(tmp_path):
    assert setup_env.answer(sys.executable, "-c", "print('yes')").strip() == "yes"
    assert setup_env.answer(sys.executable, "-c", "") == ""
    assert setup_env.answer(sys.executable, "-c", "raise SystemExit(3)") is None
    assert setup_env.answer(tmp_path / "missing") is None


def test_answer_is_none_when_a_command_hangs():
    assert setup_env.answer(sys.executable, "-c", "input()", seconds=60) is None
    assert setup_env.answer(sys.executable, "-c", "while True: pass", seconds=1) is None


@posix
def test_a_shim_that_does_not_start_is_passed_over(tool):
    broken = tool("shims", "uv", "uv: command not found", code=127)
    old = tool("old", "uv", "uv 0.4.30")
    good = tool("good", "uv", "uv 0.13.9")
    assert setup_env.starting_uv(broken, old, good) == good
    assert setup_env.starting_uv(broken, old) is None


@posix
def test_candidates_lists_files_in_the_order_of_the_path_then_pyenv(tool, tmp_path, monkeypatch):
    first, second = tool("one", "uv", ""), tool("two", "uv", "")
    hidden = tool("pyenv/versions/3.12.1/bin", "uv", "")
    monkeypatch.setenv("PATH", os.pathsep.join([str(first.parent), str(second.parent)]))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert setup_env.candidates("uv") == [first, second, hidden]


@posix
def test_find_python_takes_the_preferred_version_and_skips_old_ones(tool, tmp_path, monkeypatch):
    path = os.pathsep.join(str(tmp_path / name) for name in ("old", "new", "broken", "best"))
    tool("old", "python3", "3.11 /old")
    tool("new", "python3", "3.15 /new")
    tool("broken", "python3.13", "3.13 /broken", code=1)
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "old" / "python3"))
    assert setup_env.find_python() == "/new"
    tool("best", "python3.13", "3.13 /a path/best")
    assert setup_env.find_python() == "/a path/best"


def test_without_python_and_uv_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(setup_env, "is_ready", lambda: False)
    monkeypatch.setattr(setup_env, "find_python", lambda: None)
    monkeypatch.setattr(setup_env, "starting_uv", lambda *paths: None)
    monkeypatch.setattr(setup_env, "bootstrap_uv", lambda python: None)
    assert setup_env.main([]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("softseg needs Python 3.12 or newer")


def test_fingerprint_changes_with_every_input_and_with_the_place(tmp_path):
    prints = {setup_env.fingerprint(tmp_path)}
    for name in setup_env.INPUTS:
        (tmp_path / name).write_text("x")
        prints.add(setup_env.fingerprint(tmp_path))
    (tmp_path / "uv.lock").write_text("y")
    prints |= {setup_env.fingerprint(tmp_path), setup_env.fingerprint(tmp_path / "moved")}
    assert len(prints) == 1 + len(setup_env.INPUTS) + 2


def test_an_environment_without_its_stamp_is_not_ready(tmp_path, monkeypatch):
    monkeypatch.setattr(setup_env, "STAMP", tmp_path / "setup.stamp")
    monkeypatch.setattr(setup_env, "program", lambda folder, name: Path(sys.executable))
    assert not setup_env.is_ready()
    setup_env.STAMP.write_text(setup_env.fingerprint())
    assert setup_env.is_ready()
    monkeypatch.setattr(setup_env, "program", lambda folder, name: tmp_path / "deleted")
    assert not setup_env.is_ready()


def test_the_lock_sees_no_private_index(monkeypatch):
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_CONFIG_FILE"):
        monkeypatch.setenv(name, "private")
    monkeypatch.setenv("UV_CACHE_DIR", "kept")
    env = setup_env.lock_environment("python")
    assert "private" not in env.values()
    assert env["UV_CACHE_DIR"] == "kept"
    assert env["UV_NO_CONFIG"] == "1"


def test_the_pinned_uv_is_new_enough_and_carries_hashes():
    first, *hashes = setup_env.pinned_uv().splitlines()
    assert setup_env.version_in(first) >= setup_env.OLDEST_UV
    assert any("--hash=sha256:" in line for line in hashes)
    assert all(line.startswith(" ") for line in hashes)


@pytest.mark.parametrize("name", ["uv.lock", "requirements.lock.txt"])
def test_lock_files_name_only_the_public_index(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "file:" not in text
    hosts = {word.split("/")[2] for word in text.split('"') if word.startswith("http")}
    assert hosts <= {"pypi.org", "files.pythonhosted.org"}


def test_the_script_has_no_syntax_that_an_old_python_cannot_read():
    source = Path(setup_env.__file__).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))


def test_an_unknown_task_is_refused(capsys):
    assert setup_env.main(["destroy"]) == 2
    assert "check-lock" in capsys.readouterr().out
