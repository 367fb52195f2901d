import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from results.worlds import World
from softseg.errors import FileError, UsageError
from softseg.results import files, storage
from softseg.results.storage import load, save, to_bytes


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def content(mixed: World) -> bytes:
    return to_bytes(mixed.tree)


def test_a_tree_comes_back_as_it_was(mixed: World, tmp_path):
    path = tmp_path / "posterior.nc"
    digest = save(mixed.tree, path)
    back = load(path)
    xr.testing.assert_identical(back, mixed.tree)
    for group in mixed.tree.subtree:
        for name, array in group.variables.items():
            assert back[group.path].variables[name].dtype == array.dtype, (group.path, name)
    assert digest == files.sha256(path)
    assert names(tmp_path) == ["posterior.nc"]


def test_a_loaded_tree_can_be_saved_over_itself(one_segment: World, tmp_path):
    path = tmp_path / "posterior.nc"
    digest = save(one_segment.tree, path)
    assert save(load(path), path) == digest


def test_the_same_tree_makes_the_same_file(one_segment: World):
    assert to_bytes(one_segment.tree.copy(deep=True)) == to_bytes(one_segment.tree)


def test_long_and_foreign_texts_are_kept(one_segment: World, tmp_path):
    tree = one_segment.tree.copy(deep=True)
    tree.attrs["schema"] = "ü" * 200_000
    tree["texts"] = xr.DataTree(xr.Dataset({"t": ("x", np.array(["Müller & Söhne", "", "日本"]))}))
    save(tree, tmp_path / "a.nc")
    xr.testing.assert_identical(load(tmp_path / "a.nc"), tree)


def test_names_that_a_variable_and_a_group_share_are_kept(tmp_path):
    values = xr.Variable("x", np.arange(3.0), {"unit": "share"})
    groups = {
        "/": xr.Dataset(attrs={"seed": 1}),
        "/price": xr.Dataset({"volume": values, "price": values}, attrs={"said": "yes"}),
        "/volume": xr.Dataset(),
        "/volume/price": xr.Dataset({"volume": values}),
        "/empty": xr.Dataset(attrs={"why": "nothing there"}),
    }
    tree = xr.DataTree.from_dict(groups)
    save(tree, tmp_path / "a.nc")
    xr.testing.assert_identical(load(tmp_path / "a.nc"), tree)


def test_the_file_is_plain_netcdf(mixed: World, tmp_path):
    path = tmp_path / "posterior.nc"
    save(mixed.tree, path)
    with xr.open_datatree(path, engine="h5netcdf") as plain:
        np.testing.assert_array_equal(plain["posterior"]["share"], mixed.tree["posterior"]["share"])
        assert plain.attrs["softseg_format"] == "softseg posterior"
    with h5py.File(path) as file:
        assert file["posterior/share"].fletcher32
        assert file["membership/verdict"].fletcher32
        assert file["posterior/segment_name"].fletcher32


def test_200_flips_and_20_cuts_are_all_refused(content: bytes, tmp_path):
    rng = np.random.default_rng(220)
    path, refused = tmp_path / "posterior.nc", 0
    places = [*rng.integers(len(content), size=195).tolist(), 0, 9, *range(-3, 0)]
    damaged = []
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    damaged += [content[: int(cut)] for cut in np.linspace(0, len(content) - 1, 20)]
    for body in damaged:
        path.write_bytes(body)
        with pytest.raises(FileError, match=r"posterior\.nc"):
            load(path)
        refused += 1
    assert refused == 220


def test_fletcher32_notices_a_flip_without_our_checksum(content: bytes, tmp_path):
    path = tmp_path / "plain.nc"
    with h5py.File(_written(path, content)) as file:
        place = file["membership/verdict"].id.get_chunk_info(0).byte_offset
    flipped = bytearray(content)
    flipped[place + 3] ^= 4
    path.write_bytes(flipped)
    with (
        xr.open_datatree(path, engine="h5netcdf", cache=False) as plain,
        pytest.raises(OSError, match=r"(?i)filter|checksum|fletcher"),
    ):
        plain["membership"]["verdict"].load()


@pytest.mark.parametrize("language", ["en", "de"])
def test_refusals_are_one_sentence(content: bytes, tmp_path, language: str):
    path = tmp_path / "posterior.nc"
    messages = []
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for body in (b"", b"no such thing", bytes(flipped), content + b"x", content[:-200]):
        path.write_bytes(body)
        with pytest.raises(FileError, match="posterior") as caught:
            load(path, language)
        messages.append(str(caught.value))
    path.unlink()
    with pytest.raises(FileError, match="posterior") as caught:
        load(path, language)
    messages.append(str(caught.value))
    for message in messages:
        assert message.replace("posterior.nc", "it").count(".") == 1, message
        assert "\n" not in message
    assert ("checksum" if language == "en" else "Prüfsumme") in messages[2]


def _written(path, content: bytes):
    path.write_bytes(content)
    return path


def _signed(tree: xr.DataTree) -> bytes:
    import hashlib

    body = bytes(tree.to_netcdf(None, engine="h5netcdf"))
    return body + files.MARK + hashlib.sha256(body).hexdigest().encode() + b"\n"


def test_a_newer_format_is_refused(tmp_path):
    attrs = {"softseg_format": storage.FORMAT, "softseg_format_version": "2.0"}
    tree = xr.DataTree(xr.Dataset({"x": ("y", [1.0])}, attrs=attrs))
    with pytest.raises(FileError, match=r"Update softseg to read a.nc: the file has format 2.0"):
        load(_written(tmp_path / "a.nc", _signed(tree)))


def test_a_newer_minor_format_is_read(tmp_path):
    attrs = {"softseg_format": storage.FORMAT, "softseg_format_version": "1.7"}
    tree = xr.DataTree(xr.Dataset({"x": ("y", [1.0])}, attrs=attrs))
    back = load(_written(tmp_path / "a.nc", _signed(tree)))
    assert back["x"].item() == 1.0


@pytest.mark.parametrize(
    "attrs",
    [{}, {"softseg_format": "else", "softseg_format_version": "1.0"},
     {"softseg_format": storage.FORMAT, "softseg_format_version": "one"}],
)  # fmt: skip
def test_other_netcdf_files_are_refused(tmp_path, attrs: dict[str, str]):
    tree = xr.DataTree(xr.Dataset({"x": ("y", [1.0])}, attrs=attrs))
    with pytest.raises(FileError, match=r"a.nc is none, or it is cut off"):
        load(_written(tmp_path / "a.nc", _signed(tree)))
    plain = bytes(tree.to_netcdf(None, engine="h5netcdf"))
    with pytest.raises(FileError, match=r"a.nc is none, or it is cut off"):
        load(_written(tmp_path / "a.nc", plain))


def test_signed_rubbish_is_refused(tmp_path):
    import hashlib

    body = storage.MAGIC + b"rubbish" * 100
    content = body + files.MARK + hashlib.sha256(body).hexdigest().encode() + b"\n"
    with pytest.raises(FileError, match=r"a.nc is none, or it is cut off"):
        load(_written(tmp_path / "a.nc", content))


def test_objects_are_not_stored():
    tree = xr.DataTree(xr.Dataset({"x": ("y", np.array([{}, None], dtype=object))}))
    with pytest.raises(UsageError, match="Turn x into numbers or text before saving"):
        to_bytes(tree)


@pytest.mark.parametrize("call", ["fsync", "write"])
def test_a_full_disk_leaves_the_old_file(
    one_segment: World, tmp_path, monkeypatch: pytest.MonkeyPatch, call: str
):
    path = tmp_path / "posterior.nc"
    digest = save(one_segment.tree, path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if call == "fsync":
            patch.setattr(files.os, "fsync", full)
        else:
            patch.setattr(files, "_write_all", full)
        with pytest.raises(FileError, match=r"could not be written .No space left on device."):
            save(one_segment.tree, path)
    assert files.sha256(path) == digest
    assert names(tmp_path) == ["posterior.nc"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device here")  # noqa: PTH110
def test_a_really_full_device_is_one_sentence(tmp_path, monkeypatch: pytest.MonkeyPatch):
    def on_full_device(**_: object) -> tuple[int, str]:
        return os.open("/dev/full", os.O_WRONLY), str(tmp_path / "none")

    monkeypatch.setattr(files.tempfile, "mkstemp", on_full_device)
    with pytest.raises(FileError, match="No space left on device"):
        files.replace_file(tmp_path / "a.txt", b"x" * 100_000)
    assert names(tmp_path) == []


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_write_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.replace_file(tmp_path / "a.txt", b"x")
    assert names(tmp_path) == []


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(FileError, match=r"a.nc could not be written .No such file or directory."):
        files.replace_file(tmp_path / "none" / "a.nc", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="rights of files are others there")
def test_only_the_owner_may_read(tmp_path, monkeypatch: pytest.MonkeyPatch):
    seen = []
    write = files._write_all

    def watched(handle: int, content: bytes) -> None:
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        write(handle, content)

    monkeypatch.setattr(files, "_write_all", watched)
    files.replace_file(tmp_path / "a.txt", b"x")
    assert seen == [0o600]


def test_kills_during_a_save_leave_the_old_or_the_new_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"0" * 3_000_000)
    program = (
        "import sys; from softseg.results.files import replace_file\n"
        "print(flush=True)\n"
        "for i in range(10**6): replace_file(sys.argv[1], str(i % 10).encode() * 3_000_000)"
    )
    for wait in (0.0, 0.011, 0.023, 0.037, 0.05):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE
        )
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.05 + wait)
        process.kill()
        process.communicate()
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert content == content[:1] * 3_000_000
