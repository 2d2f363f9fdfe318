"""What a person waits for before anything is seen."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.timing import PeakMemory, machine
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.volume import Volume


def main() -> None:
    print(machine(), "\n")
    for label, command in (
        ("napari-qsm --help", ["-m", "napari_qsm", "--help"]),
        ("napari-qsm --version", ["-m", "napari_qsm", "--version"]),
        ("import napari_qsm", ["-c", "import napari_qsm"]),
        ("bare python", ["-c", "pass"]),
    ):
        times = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            times.append(time.perf_counter() - start)
        print(f"{label:<24} median {statistics.median(times):.2f} s, best {min(times):.2f} s")

    rng = np.random.default_rng(0)
    data = rng.standard_normal((384, 312, 72), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.nii.gz"
        start = time.perf_counter()
        write_volume(Volume(data, np.diag([0.625, 0.625, 2, 1])), path)
        print(f"write 384x312x72 .nii.gz  {time.perf_counter() - start:.2f} s")
        with PeakMemory() as memory:
            start = time.perf_counter()
            read_volume(path).to_canonical()
            seconds = time.perf_counter() - start
        print(f"read 384x312x72 .nii.gz   {seconds:.2f} s, {memory.above_mib:.0f} MiB")


if __name__ == "__main__":
    main()
