"""The built wheel in an environment of its own, with nothing but what it declares.

There it is imported without any Qt binding, and README's demo runs without a display.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
IMPORT = """
import importlib.util, napari_qsm
found = [qt for qt in ("PyQt5", "PyQt6", "PySide2", "PySide6") if importlib.util.find_spec(qt)]
assert not found, f"not a bare environment: {found}"
for name in napari_qsm.__all__:
    if name != "open_workspace":
        getattr(napari_qsm, name)
"""
WANTED = (
    *("figure-1.png", "figure-1.pdf", "figure-2.png", "figure-2.pdf"),
    *(f"{who}/{name}" for who in ("control", "patient") for name in ("chi.nii.gz", "table.csv")),
)


def run(*command, **options):
    """Say what is run, and run it; a failure is an exception."""
    print("+", *command, flush=True)  # noqa: T201
    subprocess.run([str(part) for part in command], check=True, **options)


def main():
    """Build, install, import, run the demo; any failure ends with an exception."""
    shown = ("DISPLAY", "WAYLAND_DISPLAY", "PYTHONPATH", "PYTHONHOME", "QT_API")
    env = {name: value for name, value in os.environ.items() if name not in shown}
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        tools = ROOT / ".venv" / SCRIPTS / "python"
        run(tools, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
        (wheel,) = folder.glob("*.whl")
        run(sys.executable, "-m", "venv", folder / "bare")
        python = folder / "bare" / SCRIPTS / "python"
        quiet = ("-q", "--disable-pip-version-check", "--no-compile")
        run(python, "-m", "pip", "install", *quiet, wheel, env=env)
        run(python, "-c", IMPORT, cwd=folder, env=env)
        run(python.with_name("napari-qsm"), "demo", "--out", "demo", cwd=folder, env=env)
        missing = [name for name in WANTED if not (folder / "demo" / name).is_file()]
        assert not missing, f"the demo did not write {missing}"


if __name__ == "__main__":
    main()
