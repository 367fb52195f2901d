"""Sign-off: what is signed, and what a check of it finds."""

import datetime
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from small_roi import EXAMPLE, QUICK, stand_ins
from softseg.decisions.signoff import day, freeze, read_signoff, verify
from softseg.errors import FileError, UsageError
from softseg.runs.roi import run_roi

WHEN = datetime.date(2026, 3, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signoff") / "run"
    with stand_ins():
        run_roi(EXAMPLE, folder, QUICK)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture
def signed(folder: Path) -> Path:
    freeze(folder, "M. Beispiel", "Vorlage 12", WHEN)
    return folder


def edit(path: Path, **fields: Any) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(data | fields), encoding="utf-8")


def test_a_signature_holds_who_what_and_when(folder: Path) -> None:
    found = freeze(folder, " M. Beispiel ", "Vorlage 12", WHEN)
    assert (found.approver, found.note, found.date) == ("M. Beispiel", "Vorlage 12", WHEN)
    assert set(found.content.files) == {
        "assumptions.toml", "figures/bridge.svg", "report.html", "roi.csv", "roi.nc", "roi.xlsx",
    }  # fmt: skip
    assert found.content.options["seed"] == 1
    assert found.content.assumptions == json.loads(EXAMPLE.model_dump_json())
    assert list(found.headline) == [
        "mean_npv", "npv_q05", "npv_q50", "npv_q95", "p_npv_positive", "median_roi",
    ]  # fmt: skip
    low, middle, high = (found.headline[f"npv_q{q}"] or 0.0 for q in ("05", "50", "95"))
    assert low < middle < high
    assert read_signoff(folder) == found


def test_the_hash_can_be_computed_without_this_package(signed: Path) -> None:
    data = json.loads((signed / "signoff.json").read_text(encoding="utf-8"))
    content_hash = data.pop("content_hash")
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == content_hash


def test_nothing_has_changed(signed: Path) -> None:
    verdict = verify(signed)
    assert verdict.holds
    content_hash = verdict.signoff.content_hash[:12]
    assert verdict.text() == (
        "Nothing has changed since M. Beispiel signed off on 2026-03-01: all 6 files are the same "
        f"(content hash {content_hash})."
    )
    assert "am 01.03.2026 hat sich nichts geändert" in verdict.text("de")


def test_files_that_came_later_do_not_count(signed: Path) -> None:
    (signed / "minutes.txt").write_text("agreed")
    assert verify(signed).holds


def test_changed_and_missing_files_are_named(signed: Path) -> None:
    (signed / "roi.csv").write_text("other")
    (signed / "report.html").unlink()
    verdict = verify(signed)
    assert not verdict.holds
    assert verdict.text().endswith("changed: roi.csv; missing: report.html.")
    assert verdict.text("de").endswith("geändert: roi.csv; fehlt: report.html.")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"options": {"seed": 2}}, "another seed or number of draws in the manifest"),
        ({"versions": {}}, "other versions of the software in the manifest"),
        ({"assumptions": {"horizon": 9}}, "other assumptions in the manifest"),
        ({"files": {}}, "another list of files in the manifest"),
    ],
)
def test_another_manifest_is_noticed(signed: Path, fields: dict[str, Any], said: str) -> None:
    edit(signed / "manifest.json", **fields)
    assert said in verify(signed).text()


def test_a_missing_manifest_is_noticed(signed: Path) -> None:
    (signed / "manifest.json").unlink()
    assert verify(signed).missing == ("manifest.json",)


@pytest.mark.parametrize("fields", [{"approver": "Someone"}, {"note": ""}, {"date": "2026-03-02"}])
def test_a_changed_signature_is_noticed(signed: Path, fields: dict[str, Any]) -> None:
    edit(signed / "signoff.json", **fields)
    verdict = verify(signed)
    assert not verdict.holds
    assert verdict.text().startswith("Do not rely on this sign-off")


def test_signing_twice_has_to_be_asked_for(signed: Path) -> None:
    with pytest.raises(UsageError, match="Use --again to sign anew"):
        freeze(signed, "A. Other", "", WHEN)
    assert freeze(signed, "A. Other", "", WHEN, again=True).approver == "A. Other"


def test_somebody_has_to_sign(folder: Path) -> None:
    with pytest.raises(UsageError, match="Say who approves"):
        freeze(folder, "  ", "", WHEN)


def test_a_changed_folder_cannot_be_signed(folder: Path) -> None:
    (folder / "roi.csv").write_text("other")
    with pytest.raises(FileError, match=r"Run softseg roi again before signing.*: roi\.csv"):
        freeze(folder, "A. Other", "", WHEN)


def test_other_folders_cannot_be_signed_or_checked(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        freeze(tmp_path / "nowhere", "A. Other", "", WHEN)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(FileError, match="Give a folder that softseg roi has written"):
        freeze(tmp_path, "A. Other", "", WHEN)
    with pytest.raises(FileError, match="Sign off first with softseg roi freeze: run holds no"):
        verify(folder)
    (folder / "signoff.json").write_text("{}")
    with pytest.raises(FileError, match="Sign off again with softseg roi freeze --again"):
        verify(folder)


def test_dates_as_people_write_them() -> None:
    assert (day(WHEN), day(WHEN, "de")) == ("2026-03-01", "01.03.2026")
