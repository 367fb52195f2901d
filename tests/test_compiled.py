"""Machine code is kept between processes, and no change of a source is missed."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest
from numba.core.caching import CacheImpl

from softseg import compiled
from softseg.inference import relabel
from softseg.likelihood import block, elementary, joined

SOURCE = Path(compiled.__file__).parent

INNER = """
from numba import njit
from softseg.compiled import CACHED
STEP = {step}
@njit(**CACHED)
def inner(x):
    return x + {plus}
"""
OUTER = """
from numba import njit
from softseg.compiled import CACHED
from {inner} import STEP, inner
@njit(**CACHED)
def outer(x):
    return {before}STEP * inner(x)
"""


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A function that writes two modules, imports them as a new process would, and calls outer."""
    monkeypatch.setattr(compiled, "HOME", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("inner_of_test_compiled", "outer_of_test_compiled")

    def load(step=1, plus=1, before=""):
        inner, outer = (tmp_path / f"{name}.py" for name in names)
        inner.write_text(INNER.format(step=step, plus=plus))
        outer.write_text(OUTER.format(inner=names[0], before=before))
        for name in names:
            sys.modules.pop(name, None)
            spec = importlib.util.spec_from_file_location(name, tmp_path / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            # the loader compares times in seconds, too coarse for a test
            exec(compile((tmp_path / f"{name}.py").read_text(), spec.origin, "exec"), vars(module))
        function = sys.modules[names[1]].outer
        return function(10), sum(function.stats.cache_hits.values())

    yield load
    for name in names:
        sys.modules.pop(name, None)


def test_code_is_kept_until_a_source_changes(fresh):
    assert fresh() == (11, 0)
    assert fresh() == (11, 1)
    assert fresh(plus=2) == (12, 0), "a callee in another file changed"
    assert fresh(step=3, plus=2) == (36, 0), "an imported constant changed"
    assert fresh(step=3, plus=2) == (36, 1)
    assert fresh(step=3, plus=2, before="1 + ") == (37, 0), "the function itself changed"


def test_the_stamp_covers_the_files_that_a_module_reaches():
    files = {file for file, _ in compiled._sources(vars(relabel), set())}

    assert files == {m.__file__ for m in (relabel, block, joined, elementary)}
    assert compiled.stamp(relabel.mean_kernel.py_func) != compiled.stamp(block.fill.py_func)


def test_numba_takes_our_place_for_our_functions_only():
    assert CacheImpl._locator_classes.count(compiled.Followed) == 1
    assert isinstance(block.fill._cache._impl.locator, compiled.Followed)
    assert compiled.Followed.from_function(block.fill.py_func, "/elsewhere/file.py") is None


def test_constants_are_told_apart_by_value():
    first = {"__file__": compiled.__file__, "LIMIT": 1.0, "PAIR": (1, object())}
    again = {"__file__": compiled.__file__, "LIMIT": 1.0, "PAIR": (1, object())}
    other = {"__file__": compiled.__file__, "LIMIT": 2.0, "PAIR": (1, object())}
    (one,), (two,), (three,) = (list(compiled._sources(n, set())) for n in (first, again, other))

    assert one == two
    assert one != three


def asks_numba_itself(path: Path) -> bool:
    """Return whether a module spells out numba's option instead of taking ours."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    if not any(isinstance(n, ast.ImportFrom) and n.module == "numba" for n in nodes):
        return False
    spelled = [n for n in nodes if isinstance(n, ast.keyword) and n.arg == "cache"]
    return bool(spelled) or any(isinstance(n, ast.Constant) and n.value == "cache" for n in nodes)


def test_options_of_compiled_functions_come_from_one_place(tmp_path):
    by_hand = tmp_path / "by_hand.py"
    by_hand.write_text("from numba import njit\n@njit(cache=True)\ndef f(): ...\n")

    assert asks_numba_itself(by_hand)
    assert [p.name for p in SOURCE.rglob("*.py") if asks_numba_itself(p)] == []
