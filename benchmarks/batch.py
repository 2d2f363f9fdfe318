"""What handing out scans costs: a thousand of them whose work is a sleep of 50 ms.

The overhead is what the run takes beyond the sleeps divided by the workers. Memory is that of the
driver, before and during the run. ``python -m benchmarks batch``; nothing is reconstructed.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.timing import machine
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.study.batch.ledger import Ledger
from napari_qsm.study.batch.running import run_all
from napari_qsm.study.batch.status import ScanStatus
from napari_qsm.study.batch.task import Outcome, Task
from napari_qsm.study.folder import make_derivatives

SCANS, WORK_S, LANES = 1000, 0.05, 2


def pretend(task: Task) -> Outcome:
    """The work of a scan, as far as time goes."""
    began = time.perf_counter()
    time.sleep(WORK_S)  # longer, on a machine with other work
    return Outcome("done", seconds=time.perf_counter() - began, host="here")


def main() -> None:
    from napari_qsm.study.batch import clusters

    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        raw, study = Path(folder) / "raw", Path(folder) / "study"
        (raw / "sub-0000").mkdir(parents=True)
        place = make_derivatives(study, raw)
        place.batch.mkdir()
        ledger = Ledger(place, raw, load_recipe("case-report"))
        names = [f"sub-{n:04d}_ses-t{n % 3}" for n in range(SCANS)]
        ledger.rows = {n: ScanStatus(n, n[4:8], n[-2:], "waiting") for n in names}
        ledger.records = {n: {"files": [["x" * 60, 1, 2]] * 8} for n in names}
        tasks = [Task(n, n.replace("_", "/"), str(raw), str(study), "x", "") for n in names]
        workers = clusters.local(LANES, 1, 2**33, raw, study, work=pretend)
        while len(workers.lanes()) < LANES:
            time.sleep(0.1)
            workers.ended(0.1)
        driver = psutil.Process()
        memory = [driver.memory_info().rss / 1e6]
        began, spent = time.perf_counter(), driver.cpu_times()

        def on_end(task: Task, outcome: Outcome) -> None:
            ledger.rows[task.scan] = ledger.rows[task.scan].ended(outcome)
            memory.append(driver.memory_info().rss / 1e6)

        try:
            run_all(tasks, workers, on_end=on_end, on_look=lambda left: ledger.write(soon=True))
            seconds, now = time.perf_counter() - began, driver.cpu_times()
        finally:
            workers.close()
    slept = sum(row.seconds or 0.0 for row in ledger.rows.values()) / LANES
    cpu = now.user + now.system - spent.user - spent.system
    done = sum(row.state == "done" for row in ledger.rows.values())
    print(f"{done} of {SCANS} scans of {WORK_S * 1e3:.0f} ms done by {LANES} workers")
    print(f"wall time {seconds:.1f} s, of sleeps {slept:.1f} s: overhead {seconds / slept - 1:.1%}")
    print(f"processor time of the driver {cpu:.1f} s, {cpu / SCANS * 1e3:.1f} ms a scan")
    tenth = len(memory) // 10
    print(
        f"memory of the driver {memory[0]:.0f} MB at the start, {memory[tenth]:.0f} after a tenth, "
        f"{memory[-1]:.0f} at the end, {max(memory):.0f} at most"
    )


if __name__ == "__main__":
    main()
