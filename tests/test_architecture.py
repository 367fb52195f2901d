"""The house as drawn: imports point down, heavy parts come late, the map names every room."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "softseg"

FLOORS = [
    {"names", "errors", "compiled"},
    {"checks", "priors", "wording"},
    {"families"},
    {"tables"},
    {"likelihood"},
    {"models"},
    {"inference"},
    {"results"},
    {"decisions"},
    {"comparison", "report"},
    {"estimators"},
    {"runs", "progress"},
    {"study"},
    {"cli"},
]
"""From the ground up; a room may use what lies below it and itself, not its neighbours."""

LATE = {"pymc", "pytensor", "arviz", "arviz_stats", "arviz_plots", "matplotlib", "nutpie"}
UNSAFE_MODULES = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "yaml", "marshal"}
UNSAFE_CALLS = {"eval", "exec", "compile"}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imports(path: Path, *, top_only: bool) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def floor_of(room: str) -> int:
    for height, rooms in enumerate(FLOORS):
        if room in rooms:
            return height
    raise LookupError(f"give the room {room!r} a floor in tests/test_architecture.py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down(path: Path):
    room = room_of(path)
    if room == "__init__":
        return
    for name in imports(path, top_only=False):
        if not name.startswith("softseg."):
            continue
        other = name.split(".")[1]
        if other == room or (
            not (SOURCE / other).exists() and not (SOURCE / f"{other}.py").exists()
        ):
            continue
        assert floor_of(other) < floor_of(room), f"{path.name} imports {name}, which lies above"


def test_no_cycle_within_a_room():
    graph: dict[str, set[str]] = {}
    names = {
        ".".join(("softseg", *p.relative_to(SOURCE).with_suffix("").parts)): p for p in modules()
    }
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    for name, path in names.items():
        graph[name] = {other for other in imports(path, top_only=True) if other in names} - {name}
        if path.name == "__init__.py":
            graph[name] = {o for o in graph[name] if not o.startswith(f"{name}.")}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"import cycle: {' -> '.join([*way, name])}"
        if name in done:
            return
        for other in sorted(graph[name]):
            visit(other, (*way, name))
        done.add(name)

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_nothing_unsafe(path: Path):
    assert not {name.split(".")[0] for name in imports(path, top_only=False)} & UNSAFE_MODULES
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            assert called not in UNSAFE_CALLS
            shell = [k for k in node.keywords if k.arg == "shell"]
            assert not shell


@pytest.mark.parametrize(
    "start", ["import softseg", "import softseg.cli; sys.argv[1:] = ['--help']; softseg.cli.main()"]
)
def test_heavy_parts_are_imported_late(start: str):
    code = (
        f"import sys\ntry:\n    exec({start!r})\nexcept SystemExit:\n    pass\n"
        f"print(sorted({LATE!r} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("room", ["results", "decisions", "tables", "families"])
def test_results_are_read_without_pymc(room: str):
    names = ",".join(
        ".".join(("softseg", *p.relative_to(SOURCE).with_suffix("").parts))
        for p in sorted((SOURCE / room).rglob("*.py"))
        if p.stem != "__init__"
    )
    code = f"import sys\nimport {names}\nprint('pymc' in sys.modules or 'pytensor' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_files_stay_readable():
    long = {
        str(p.relative_to(ROOT)): n
        for p in modules()
        if (n := len(p.read_text().splitlines())) > 420
    }
    assert long == {}


def test_the_map_names_every_room_and_file():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^\s*([a-z_0-9]+(?:\.py|/))(?=\s|$)", text, flags=re.MULTILINE))
    present = {
        f"{p.name}/" if p.is_dir() else p.name
        for p in SOURCE.rglob("*")
        if (p.is_dir() and any(p.glob("*.py"))) or (p.suffix == ".py" and p.name != "__init__.py")
    }
    present -= {"__pycache__/"}
    assert present - drawn == set(), "these are in the tree, but not on the map"
    assert drawn - present == {"softseg/"} & drawn, "these are on the map, but not in the tree"
