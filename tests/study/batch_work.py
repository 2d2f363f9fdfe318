"""Work for other processes, which import it by name: light, so that they start at once."""

import os
from pathlib import Path

from napari_qsm.study.batch.task import Outcome


def look(task):
    """Tell what the process has in its environment."""
    names = ("NAPARI_QSM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
    return Outcome("done", " ".join(os.environ.get(name, "-") for name in names), 0.01)


def die_once(task):
    """Scan 'b' ends its process at its first try."""
    first = Path(task.out) / f"{task.scan}-tried"
    if task.scan == "b" and not first.exists():
        first.touch()
        os._exit(9)
    return look(task)
