"""Run every command of docs/user-guide/study-tutorial.md and write what it printed into the page.

    python docs/make_study_tutorial.py [FOLDER]

The study is made in FOLDER (a new temporary one unless given; one that is there is gone on with),
and the pictures of the page are drawn from it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "user-guide" / "study-tutorial.md"
FIGURES = ("agreement", "visits", "effects", "flow", "plate")
_DPI = "120"
_PROGRESS = re.compile(r"(\d+/\d+ done.*|\s*|[a-z ]+\s+\d+ %)")


def run(command: str, folder: Path) -> str:
    """What a command of the page prints, in the folder of the study."""
    words = shlex.split(command)
    start = {"python": [sys.executable], "napari-qsm": [sys.executable, "-m", "napari_qsm"]}
    done = subprocess.run(
        [*start[words[0]], *words[1:]],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stdout}")
    text = done.stdout.replace(f"{folder}/", "")
    lines = [line.rstrip() for line in text.splitlines() if not _PROGRESS.fullmatch(line)]
    return "\n".join(lines)


def is_done(command: str, folder: Path) -> bool:
    """Whether a step that may be made only once was made in an earlier run."""
    places = {
        "python docs/tutorial/make_scans.py": "RAW",
        "napari-qsm study new": "STUDY/study.yaml",
        "napari-qsm study assign STUDY --rater AA": "STUDY/reading/worklist-AA.tsv",
        "napari-qsm study assign STUDY --rater BB": "STUDY/reading/worklist-BB.tsv",
    }
    return any(command.startswith(c) and (folder / p).exists() for c, p in places.items())


def console(block: str, folder: Path) -> str:
    """A block of commands with new outputs; of steps that are done already, with the old ones."""
    out = []
    for part in re.split(r"^(?=\$ )", block, flags=re.M):
        if not part.strip():
            continue
        command, _, before = part.partition("\n")
        command = command.removeprefix("$ ")
        sys.stderr.write(f"{command}\n")
        printed = before.rstrip() if is_done(command, folder) else run(command, folder)
        out.append(f"$ {command}\n{printed}".rstrip() + "\n")
    return "".join(out)


def block(page: str, language: str, content: str) -> str:
    """The page with the only block of a language filled anew."""
    pattern = re.compile(rf"^```{language}\n.*?^```$", re.M | re.S)
    return pattern.sub(lambda _: f"```{language}\n{content.rstrip()}\n```", page, count=1)


def methods(folder: Path) -> str:
    """The methods section in lines of a page."""
    text = (folder / "STUDY/group/methods.txt").read_text(encoding="utf-8")
    return "\n".join(textwrap.fill(line, 100) for line in text.splitlines())


def main(folder: Path) -> None:
    """Run the page."""
    shutil.copytree(DOCS / "tutorial", folder / "docs" / "tutorial", dirs_exist_ok=True)
    page = PAGE.read_text(encoding="utf-8")
    protocol = (DOCS / "tutorial" / "iron-study.yaml").read_text(encoding="utf-8")
    page = block(page, "yaml", protocol)
    pattern = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
    page = pattern.sub(lambda found: f"```console\n{console(found[1], folder)}```", page)
    PAGE.write_text(block(page, "text", methods(folder)), encoding="utf-8")
    for name in FIGURES:
        spec = f"STUDY/group/figures/{name}.json"
        run(f"napari-qsm figure {spec} --out {name}.png --dpi {_DPI} --overwrite", folder)
        shutil.copy(folder / f"{name}.png", DOCS / "images" / f"study-{name}.png")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(Path(given[0]).resolve() if given else Path(tempfile.mkdtemp()).resolve())
