import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.cluster import hierarchy

from softseg.errors import FileError
from softseg.report.page import render, write_report

HOSTILE = (
    "<script>window.pwn=1</script>",
    "{{ 7*7 }}{% for x in y %}",
    "$x$ \\frac{1}{2 ]]> </svg><img src=x onerror=pwn()>",
    'Müller & Söhne "客户" عملاء \'onload=1 \u202e\x00\ud800',
)


class Elements(HTMLParser):
    """Collects the tags, attributes and ids of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def parsed(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    return found


@pytest.fixture(scope="module")
def page(tree: xr.DataTree) -> str:
    return render(tree, "en", **extras())


def extras() -> dict[str, object]:
    rng = np.random.default_rng(1)
    linkage = hierarchy.linkage(rng.normal(size=(50, 3)), "ward")
    part = {"mean": 0.61, "lower": 0.58, "upper": 0.64}
    choice = pd.DataFrame({"n_segments": [1, 2], "bic": [2.0, 1.0]})
    return {
        "choice": choice,
        "comparison": {"kmeans": {"ari": part, "vi": part, "torn": 143}, "other": {}},
        "dendrogram": (linkage, rng.integers(1, 5, 50)),
    }


def test_the_page_is_complete_and_in_order(page: str) -> None:
    heads = [re.sub("<.*?>", "", h) for h in re.findall(r"<h2>(.*?)</h2>", page)]
    assert heads == [
        "The calculation can be trusted",
        "What was found",
        "The segments at a glance",
        "How sure the memberships are",
        "What the segments look like",
        "Where the value is",
        "Does the model fit?",
        "How many segments?",
        "What other methods would have said",
        "Data and their quality",
        "Technical appendix",
        "Glossary",
    ]
    assert page.count("<svg") == 7
    assert "k-means" in page
    assert "143" in page


def test_the_page_is_offline_and_without_scripts(page: str) -> None:
    found = parsed(page)
    assert "script" not in found.tags
    assert not {"link", "iframe", "object", "img"} & set(found.tags)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert ("content", policy) in found.attributes
    links = [value for name, value in found.attributes if name.endswith(("href", "src"))]
    assert all(value is not None and value.startswith("#") for value in links)
    assert "url(http" not in page


def test_ids_in_the_page_are_unique_and_references_resolve(page: str) -> None:
    found = parsed(page)
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    used = {value[1:] for name, value in found.attributes if name.endswith("href") and value}
    used |= set(re.findall(r"url\(#(.*?)\)", page))
    assert used <= set(ids)


def test_the_same_tree_gives_the_same_bytes(tree: xr.DataTree, page: str) -> None:
    assert render(tree, "en", **extras()) == page


def test_hostile_names_are_shown_and_never_run(make_tree: Callable[..., xr.DataTree]) -> None:
    tree = make_tree(names=HOSTILE, labels={"orders": HOSTILE[0], "order_value": HOSTILE[2]})
    page = render(tree, "de", **extras())
    found = parsed(page)
    assert not {"script", "img"} & set(found.tags)
    assert not any(name.startswith("on") for name, _ in found.attributes)
    assert "{{ 7*7 }}" in page
    assert "&lt;script&gt;window.pwn=1&lt;/script&gt;" in page
    assert "Müller &amp; Söhne" in page
    assert "\u202e" not in page
    page.encode("utf-8")


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_failed_gate_stands_above_everything_and_withholds_segments(
    make_tree: Callable[..., xr.DataTree], language: str
) -> None:
    tree = make_tree(failed=("labels", "sizes"))
    page = render(tree, language, **extras())
    assert page.index('class="box bad"') < page.index("<h2>")
    for name in ("Premium", "Occasional", 'class="cards"', 'class="profile'):
        assert name not in page
    expected = {
        "en": ("Why it matters", "What to do", "labels not identified"),
        "de": ("Warum das wichtig ist", "Was zu tun ist", "nicht identifiziert"),
    }
    assert all(word in page for word in expected[language])


def test_an_unjudged_fit_is_treated_as_failed(make_tree: Callable[..., xr.DataTree]) -> None:
    tree = make_tree()
    del tree.attrs["diagnosis"]
    page = render(tree, "en")
    assert "has not been judged" in page
    assert "Premium" not in page


def test_one_segment_makes_a_page(make_tree: Callable[..., xr.DataTree]) -> None:
    page = render(make_tree(names=("1",), n_segments=1), "en", **extras())
    assert "described as one segment" in page
    assert "How sure the memberships are" not in page


def test_a_bare_tree_makes_a_page(make_tree: Callable[..., xr.DataTree]) -> None:
    tree = make_tree()
    for name in ("fit_verdict", "versions", "missing_related", "method_reason", "seed"):
        del tree.attrs[name]
    tree["sizes"] = xr.DataTree(tree["sizes"].to_dataset().drop_vars("concentration"))
    profile = tree["profile"].to_dataset()
    profile = profile.drop_vars([v for v in profile if str(v).startswith("power")])
    tree["profile"] = xr.DataTree(profile)
    page = render(tree, "en")
    assert "Does the model fit?" not in page
    assert "Technical appendix" in page


def test_german_pages_are_german(make_tree: Callable[..., xr.DataTree]) -> None:
    page = render(make_tree(names=("A", "B", "C", "D")), "de", **extras())
    assert '<html lang="de">' in page
    assert "1.200 Kunden" in page
    text = re.sub(r"<style.*?</style>", "", page, flags=re.S)
    for word in ("customers", "Customers", "segments", "probability in"):
        assert word not in text


def test_memberships_are_not_listed(tree: xr.DataTree, page: str) -> None:
    assert page.count("<tr") < 100
    for value in tree["membership"]["mean"].values[:20, 0]:
        assert repr(float(value)) not in page


def test_the_report_is_written_in_time(tree: xr.DataTree, page: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    start = time.process_time()
    assert write_report(tree, path, "en") == path
    assert time.process_time() - start < 5.0
    content = path.read_text(encoding="utf-8")
    assert content.startswith("<!DOCTYPE html>")
    assert len(content) < 600_000


def test_a_folder_that_is_not_there_is_said(tree: xr.DataTree, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"report\.html"):
        write_report(tree, tmp_path / "none" / "report.html")
