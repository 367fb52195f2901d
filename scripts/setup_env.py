"""Make the development environment in ``.venv``. Needs nothing but some Python 3.

    python3 scripts/setup_env.py              make it; a moment only when nothing has changed
    python3 scripts/setup_env.py lock         renew uv.lock and requirements.lock.txt
    python3 scripts/setup_env.py check-lock   do both still agree with pyproject.toml?

Three ways, in this order: a uv that really starts, a uv that pip puts into ``.venv-uv``, pip alone.
Each installs the versions of the lock and verifies their hashes. The script uses the standard
library only, and no syntax newer than Python 3.6: an old ``python3`` may start it, and it finds a
newer one.
"""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_UV = ROOT / ".venv-uv"
STAMP = VENV / "setup.stamp"
REQUIREMENTS = ROOT / "requirements.lock.txt"
INPUTS = ("pyproject.toml", "uv.lock", "requirements.lock.txt", ".python-version")

OLDEST_PYTHON = (3, 12)
PREFERRED_PYTHONS = ((3, 13), (3, 12), (3, 14))
OLDEST_UV = (0, 11)

WINDOWS = os.name == "nt"
ASK_PYTHON = (
    "import sys; print('%d.%d' % sys.version_info[:2],"
    " getattr(sys, '_base_executable', sys.executable))"
)
LOCK_HEADER = "# Exported from uv.lock by `make lock`. Do not edit.\n"


class SetupError(Exception):
    """What went wrong and what to do, in one sentence."""


# ------------------------------------------------------------------------------------- commands


def say(sentence: str) -> None:
    """Print at once, so that the lines of child processes keep their place."""
    print(sentence, flush=True)


def answer(*command: object, env: "dict | None" = None, seconds: int = 60) -> "str | None":
    """What a command prints; None when it does not start, fails or hangs."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=str(ROOT),
            env=env,
            timeout=seconds,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def succeeds(*command: object, env: "dict | None" = None) -> bool:
    """Run a command in plain sight."""
    try:
        return subprocess.call([str(part) for part in command], cwd=str(ROOT), env=env) == 0
    except OSError as error:
        say(f"{command[0]}: {error}")
        return False


# ---------------------------------------------------------------------------------------- tools


def version_in(text: "str | None") -> "tuple[int, ...]":
    """The first ``major.minor`` of a text; empty, hence smaller than any, when there is none."""
    match = re.search(r"(\d+)\.(\d+)", text or "")
    return tuple(int(part) for part in match.groups()) if match else ()


def program(environment: Path, name: str) -> Path:
    """Where a virtual environment keeps a program."""
    return environment / "Scripts" / (name + ".exe") if WINDOWS else environment / "bin" / name


def folders() -> "list[Path]":
    """Where programs may be: the search path first, then the places it often lacks."""
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    found = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    found += [home / ".local" / "bin", home / ".cargo" / "bin"]
    found += sorted(pyenv.glob("versions/*/bin"), reverse=True)
    return list(dict.fromkeys(found))


def candidates(*names: str) -> "list[Path]":
    """Every file of one of these names. Whether it starts is another question."""
    suffix = ".exe" if WINDOWS else ""
    paths = (folder / (name + suffix) for name in names for folder in folders())
    return [path for path in paths if os.path.isfile(str(path))]


def starting_uv(*paths: Path) -> "Path | None":
    """The first uv that really starts and is new enough: a pyenv shim may exist and do neither."""
    return next(
        (path for path in paths if version_in(answer(path, "--version")) >= OLDEST_UV), None
    )


def preference(version: "tuple[int, ...]") -> int:
    """Rank of a Python version: the smaller the better."""
    known = version in PREFERRED_PYTHONS
    return PREFERRED_PYTHONS.index(version) if known else len(PREFERRED_PYTHONS)


def find_python() -> "str | None":
    """The best Python that starts: never a virtual environment's, which may vanish."""
    names = ["python{}.{}".format(*version) for version in PREFERRED_PYTHONS]
    best = None
    for path in [sys.executable, *candidates(*names, "python3", "python")]:
        text, _, executable = (answer(path, "-c", ASK_PYTHON) or "").strip().partition(" ")
        version = version_in(text)
        if version >= OLDEST_PYTHON and (best is None or preference(version) < best[0]):
            best = preference(version), executable
        if best is not None and best[0] == 0:
            break
    return best[1] if best else None


def pinned_uv() -> str:
    """The lines of the lock that name uv and its hashes."""
    text = REQUIREMENTS.read_text(encoding="utf-8")
    match = re.search(r"^uv==.*(?:\n[ \t].*)*", text, re.MULTILINE)
    return match.group() + "\n" if match else ""


def bootstrap_uv(python: str) -> "Path | None":
    """Let pip put the uv of the lock into a small environment of its own."""
    uv = program(VENV_UV, "uv")
    if starting_uv(uv):
        return uv
    say("No uv here: pip fetches one.")
    if answer(python, "-m", "venv", "--clear", VENV_UV, seconds=300) is None:
        return None
    wanted = VENV_UV / "uv.txt"
    wanted.write_text(pinned_uv(), encoding="utf-8")
    answer(*pip_install(VENV_UV), "--require-hashes", "-r", wanted, seconds=600)
    return starting_uv(uv)


def fetch_python(uv: Path) -> "str | None":
    """Let uv fetch a Python where there is none that will do."""
    say("No Python of version {}.{} or newer here: uv fetches one.".format(*OLDEST_PYTHON))
    wanted = "{}.{}".format(*PREFERRED_PYTHONS[0])
    env = uv_environment(downloads=True)
    answer(uv, "python", "install", "--no-bin", wanted, env=env, seconds=900)
    return (answer(uv, "python", "find", "--no-project", wanted, env=env) or "").strip() or None


# ---------------------------------------------------------------------------------------- stamp


def fingerprint(root: Path = ROOT) -> str:
    """What the environment was made from: the inputs, and the place, which a move changes."""
    digest = hashlib.sha256(os.fsencode(str(root)))
    for name in INPUTS:
        path = root / name
        content = path.read_bytes() if path.is_file() else b""
        digest.update(b"\0%s\0%d\0" % (name.encode(), len(content)))
        digest.update(content)
    return digest.hexdigest()


def starts() -> bool:
    """Whether the Python of ``.venv`` is there and alive."""
    return answer(program(VENV, "python"), "-c", "") is not None


def is_ready() -> bool:
    """Whether ``.venv`` was finished with these inputs and still starts."""
    made_from = STAMP.read_text(encoding="utf-8") if STAMP.is_file() else ""
    return made_from == fingerprint() and starts()


# -------------------------------------------------------------------------------------- install


def uv_environment(python: "str | None" = None, downloads: bool = False) -> "dict[str, str]":
    """The system's certificates, our folder, and no download of a Python that is not needed."""
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    env["UV_SYSTEM_CERTS"] = "1"
    env["UV_PROJECT_ENVIRONMENT"] = str(VENV)
    env["UV_PYTHON_DOWNLOADS"] = "automatic" if downloads else "never"
    if python:
        env["UV_PYTHON"] = python
    return env


def lock_environment(python: str) -> "dict[str, str]":
    """Without the indexes of this machine, so that none of them gets into the lock."""
    env = uv_environment(python)
    for name in list(env):
        if re.match(r"UV_.*(INDEX|FIND_LINKS|CONFIG)", name):
            del env[name]
    env["UV_NO_CONFIG"] = "1"
    return env


def pip_install(environment: Path) -> "tuple[object, ...]":
    """The beginning of every pip command."""
    python = program(environment, "python")
    return python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"


def install_with_uv(uv: Path, python: str, in_place: bool) -> bool:
    """Bring ``.venv`` to the state of uv.lock; from the beginning unless it was finished once."""
    env = uv_environment(python)
    if not in_place and not succeeds(uv, "venv", "--clear", "--quiet", VENV, env=env):
        return False
    return succeeds(uv, "sync", "--frozen", "--no-build-isolation-package", "softseg", env=env)


def install_with_pip(python: str) -> bool:
    """The same versions and hashes without uv; slower, and always from the beginning."""
    say("Installing with pip.")
    return (
        succeeds(python, "-m", "venv", "--clear", VENV)
        and succeeds(*pip_install(VENV), "--require-hashes", "-r", REQUIREMENTS)
        and succeeds(*pip_install(VENV), "--no-deps", "--no-build-isolation", "-e", ROOT)
    )


def tools() -> "tuple[Path | None, str]":
    """A uv, if there is any way to one, and a Python that will do."""
    python = find_python()
    uv = starting_uv(program(VENV_UV, "uv"), *candidates("uv")) or bootstrap_uv(
        python or sys.executable
    )
    if uv and not python:
        python = fetch_python(uv)
    if not python:
        raise SetupError(
            "softseg needs Python {}.{} or newer, and here is only {}.{}: install a newer Python"
            " (python.org or your package manager), then run this again.".format(
                *OLDEST_PYTHON, *sys.version_info
            )
        )
    return uv, python


def compile_packages() -> None:
    """Write the bytecode once, so that no run compiles again where imports may not write any."""
    run = (program(VENV, "python"), "-W", "ignore", "-m", "compileall", "-qq", "-j", "0")
    succeeds(*run, "-x", r"[\\/]tests?[\\/]", VENV / "lib", ROOT / "src")


def compile_machine_code() -> None:
    """Let numba compile once what it keeps on disk: a minute that the first user need not wait."""
    say("Compiling machine code, about a minute.")
    succeeds(program(VENV, "python"), "-W", "ignore", ROOT / "scripts" / "warm_up.py")


def make_environment() -> None:
    """Make ``.venv``, unless it is ready."""
    if is_ready():
        return
    uv, python = tools()
    if uv and answer(uv, "lock", "--check", "--offline", env=lock_environment(python)) is None:
        raise SetupError("uv.lock is behind pyproject.toml: run `make lock`.")
    in_place = STAMP.is_file() and starts()
    if STAMP.is_file():
        STAMP.unlink()
    if not (uv and install_with_uv(uv, python, in_place)) and not install_with_pip(python):
        raise SetupError("The installation failed; the lines above say why. Run it again to retry.")
    compile_packages()
    compile_machine_code()
    STAMP.write_text(fingerprint(), encoding="utf-8")
    say("The environment is ready in .venv.")


# ----------------------------------------------------------------------------------------- lock


def locking_uv() -> "tuple[Path, dict[str, str]]":
    """The uv of the lock where there is one, so that everybody writes the same file."""
    uv, python = tools()
    uv = starting_uv(program(VENV, "uv")) or uv
    if not uv:
        raise SetupError("The lock needs uv, and there is none: see docs.astral.sh/uv.")
    return uv, lock_environment(python)


def exported(uv: Path, env: "dict[str, str]") -> str:
    """The lock in the words of pip."""
    text = answer(uv, "export", "--frozen", "--no-emit-project", "--no-header", env=env)
    if not text:
        raise SetupError("uv.lock cannot be exported: run `make lock`.")
    return LOCK_HEADER + text


def lock(*options: str) -> None:
    """Renew both lock files; options such as ``--upgrade`` go to uv."""
    uv, env = locking_uv()
    if not succeeds(uv, "lock", *options, env=env):
        raise SetupError("uv could not lock; the lines above say why.")
    REQUIREMENTS.write_text(exported(uv, env), encoding="utf-8")


def check_lock() -> None:
    """Stop when a lock file is behind."""
    uv, env = locking_uv()
    if not succeeds(uv, "lock", "--check", env=env):
        raise SetupError("uv.lock is behind pyproject.toml: run `make lock`.")
    if REQUIREMENTS.read_text(encoding="utf-8") != exported(uv, env):
        raise SetupError("requirements.lock.txt is behind uv.lock: run `make lock`.")


TASKS = {"env": make_environment, "lock": lock, "check-lock": check_lock}


def main(arguments: "list[str]") -> int:
    """Do one task; say what went wrong in one sentence."""
    name, options = (arguments or ["env"])[0], arguments[1:]
    if name not in TASKS:
        say("Say one of: " + ", ".join(TASKS) + ".")
        return 2
    try:
        TASKS[name](*options)
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
