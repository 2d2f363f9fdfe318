"""What keeping work in the background costs the hand that draws, and how soon work is safe."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.timing import machine
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.autosave import DELAY_S, Autosave
from napari_qsm.volume import Volume

SHAPES = ((384, 312, 72), (512, 512, 256))
_REGIONS = 26
_STROKES = 12
_MOVES = 40


def work(shape: tuple[int, ...], folder: Path) -> tuple[Session, MapEntry]:
    """Make a session on a map file, with 26 regions drawn."""
    rng = np.random.default_rng(0)
    chi = Volume(rng.standard_normal(shape, dtype=np.float32), np.diag([0.6, 0.6, 2, 1]))
    write_volume(chi, folder / "chi.nii")
    session = Session()
    entry = session.add(read_volume(folder / "chi.nii", unit="ppm"))
    values = np.zeros(shape, np.uint16)
    for region in range(1, _REGIONS + 1):
        x, y, z = (int(rng.integers(10, n - 30)) for n in shape)
        values[x : x + 16, y : y + 16, z : z + 8] = region
    labels = session.add(entry.volume.with_data(values, name="regions", unit=""), role="labels")
    return session, labels


def strokes(session: Session, labels: MapEntry) -> list[float]:
    """Seconds of each brush move of some strokes, at the pace of a hand (every 10 ms)."""
    columns, rows, slices = labels.editable.shape
    rng = np.random.default_rng(1)
    disc = np.argwhere(np.hypot(*np.mgrid[-6:7, -6:7]) <= 6) - 6
    seconds = []
    for stroke in range(_STROKES):
        x, y, z = (int(rng.integers(60, n - 60)) for n in (columns, rows, slices + 100))
        z = min(max(z - 50, 0), slices - 1)
        with session.history.group("stroke"):
            for move in range(_MOVES):
                at = (disc[:, 0] + x + move // 2) + columns * (disc[:, 1] + y + rows * z)
                start = time.perf_counter()
                session.edit_labels(labels, at, stroke % _REGIONS + 1)
                seconds.append(time.perf_counter() - start)
                time.sleep(0.01)
    return seconds


def longest_pause(seconds: float) -> float:
    """Longest time that a thread which only wants to go on is kept waiting."""
    longest, last = 0.0, time.perf_counter()
    end = last + seconds
    while last < end:
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


def main() -> None:
    """Print the table."""
    print(machine(), "\n")
    print(
        "A move is one brush step of 12 voxels across through Session.edit_labels. A pause is\n"
        "the longest that the drawing thread was held up in 2 s, by whatever the machine did;\n"
        f"edits are gathered for {DELAY_S:g} s.\n"
    )
    head = f"{'grid':<14}{'kept':<6}{'move median':>12}{'move worst':>12}{'pause':>9}"
    print(f"{head}{'first safe':>12}{'stroke safe':>13}{'on disk':>10}")
    for shape in SHAPES:
        for kept in (False, True):
            with tempfile.TemporaryDirectory() as name:
                print(_row(shape, Path(name), kept), flush=True)


def _row(shape: tuple[int, ...], folder: Path, kept: bool) -> str:
    session, labels = work(shape, folder)
    autosave = Autosave(session, folder / "recovery") if kept else None
    first = again = size = 0.0
    if autosave is not None:
        first = _safe(autosave, session, labels, 3)
    moves = strokes(session, labels)
    if autosave is not None:
        autosave.flush()
        again = _safe(autosave, session, labels, 4)
        session.edit_labels(labels, np.arange(100), 5)
    pause = longest_pause(2.0)
    if autosave is not None:
        if autosave.folder is not None:
            size = sum(p.stat().st_size for p in autosave.folder.iterdir()) / 2**20
        autosave.stop(keep=False)
    grid = " x ".join(map(str, shape)).replace(" ", "")
    times = f"{1e3 * float(np.median(moves)):>9.2f} ms{1e3 * max(moves):>9.2f} ms"
    row = f"{grid:<14}{'yes' if kept else 'no':<6}{times}{1e3 * pause:>6.1f} ms"
    return row + (f"{first:>10.2f} s{again:>11.2f} s{size:>6.1f} MiB" if kept else "")


def _safe(autosave: Autosave, session: Session, labels: MapEntry, value: int) -> float:
    """Seconds from an edit to the moment a killed process would give it back."""
    start = time.perf_counter()
    written = autosave.written
    session.edit_labels(labels, np.arange(2000), value)
    while autosave.written == written:
        time.sleep(0.005)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
