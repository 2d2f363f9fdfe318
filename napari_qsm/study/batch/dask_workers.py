"""Workers of dask.distributed, wherever they run.

Every scan is pinned to a worker that we choose, so that we know whose scan dies with a worker;
left to itself, Dask counts a death against every task that waited there.
"""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import psutil

from napari_qsm._version import __version__
from napari_qsm.errors import QsmError
from napari_qsm.study.batch.task import Outcome, Task, carry_out
from napari_qsm.study.batch.workers import Ended, Work, leave_ctrl_c_to_the_driver

#: How often the list of workers is asked for, s.
_LISTED_S = 1.0
#: How long workers that we cannot end may take to stop by themselves, s.
_STOP_S = 3.0


@dataclass(frozen=True)
class Seen:
    """What a worker says of itself and of the folders."""

    host: str
    version: str
    numpy: str
    sees_raw: bool
    sees_study: bool


class DaskWorkers:
    """Lanes that are workers of Dask, one scan each.

    Parameters
    ----------
    client : distributed.Client
    raw, study : Path
        Folders that every worker must see under the same path.
    cluster : optional
        What was started for this run, and is closed with it.
    settings : ExitStack, optional
        Closed last.
    stop_file : Path, optional
        Made when the user stops a run on workers that are not ours to end.
    note : callable
        Told sentences for the user.
    work : callable
        What is done with each task.

    Raises
    ------
    QsmError
        If one of the workers has another version, or does not see the folders.
    """

    def __init__(
        self,
        client: Any,
        raw: Path,
        study: Path,
        *,
        cluster: Any = None,
        settings: contextlib.ExitStack | None = None,
        stop_file: Path | None = None,
        note: Callable[[str], None] = lambda sentence: None,
        work: Work = carry_out,
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._settings = settings or contextlib.ExitStack()
        self._raw, self._study = raw, study
        self._stop_file = stop_file
        self._note = note
        self._work = work
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._held: dict[str, list[tuple[Task, Any]]] = {}  # by lane, the oldest first
        self._lanes: dict[str, int] = {}
        self._refused: set[str] = set()
        self._listed = 0.0
        self._told: set[str] = set()
        self._token = study / "batch" / f".seen-{uuid.uuid4().hex[:12]}"
        self._token.write_bytes(b"")
        try:
            self._list(first=True)
        except BaseException:
            self._token.unlink(missing_ok=True)
            raise

    def lanes(self) -> dict[str, int]:
        """Workers that see the folders, with the threads that each was given."""
        if time.monotonic() - self._listed > _LISTED_S:
            self._list()
        return self._lanes

    def _list(self, *, first: bool = False) -> None:
        """Ask which workers there are, and look at those that are new."""
        self._listed = time.monotonic()
        there = self._client.scheduler_info(n_workers=-1)["workers"]
        new = [a for a in there if a not in self._lanes and a not in self._refused]
        if new:
            looks = self._client.run(
                _look, str(self._raw), str(self._token), workers=new, on_error="return"
            )
            for address, seen in looks.items():
                problem = self._problem(address, seen)
                if problem and first:
                    raise QsmError(problem)
                if problem:
                    self._refused.add(address)
                    self._note(f"{problem} It gets no scans.")
                else:
                    self._lanes[address] = max(int(there[address].get("nthreads", 1)), 1)
        for gone in [address for address in self._lanes if address not in there]:
            del self._lanes[gone]

    def _problem(self, address: str, seen: Seen | BaseException) -> str:
        """Why a worker cannot take scans; empty where it can."""
        if isinstance(seen, ImportError):
            return (
                f"The worker at {address} has no napari-qsm; install version {__version__} there."
            )
        if isinstance(seen, BaseException):
            return f"The worker at {address} does not answer ({type(seen).__name__}: {seen})."
        if seen.version != __version__:
            return (
                f"The worker on {seen.host} has napari-qsm {seen.version}, this is {__version__}; "
                "install the same version in both places."
            )
        for sees, folder in ((seen.sees_raw, self._raw), (seen.sees_study, self._study)):
            if not sees:
                return (
                    f"The worker on {seen.host} can't see '{folder}'; all workers need the folders "
                    "under the same path as here, and leave to write into the study."
                )
        if seen.numpy != np.__version__ and seen.numpy not in self._told:
            self._told.add(seen.numpy)
            self._note(
                f"The worker on {seen.host} has numpy {seen.numpy}, here is {np.__version__}: maps "
                "may differ in their last digits."
            )
        return ""

    def start(self, lane: str, task: Task) -> None:
        """Hand a scan to a worker."""
        future = self._client.submit(
            self._work,
            task,
            key=f"{task.scan}-{uuid.uuid4().hex[:8]}",
            workers=[lane],
            allow_other_workers=False,
            pure=False,
        )
        self._held.setdefault(lane, []).append((task, future))
        future.add_done_callback(self._events.put)

    def ended(self, seconds: float) -> list[Ended]:
        """Tasks that are over, those of a lost worker included."""
        found: list[Ended] = []
        with contextlib.suppress(queue.Empty):
            future = self._events.get(timeout=seconds)
            while True:
                found += self._end_of(future)
                future = self._events.get_nowait()
        self.lanes()
        for lane in [lane for lane in self._held if lane not in self._lanes]:
            found += self._lose(lane)
        return found

    def _end_of(self, future: Any) -> list[Ended]:
        for lane, held in self._held.items():
            for task, theirs in held:
                if theirs is not future:
                    continue
                if future.status == "finished":
                    outcome = future.result()
                elif future.status == "error" and not _is_death(future.exception()):
                    error = future.exception()
                    said = f"The worker could not do it ({type(error).__name__}: {error})."
                    outcome = Outcome("failed", said)
                else:
                    return self._lose(lane)
                held.remove((task, theirs))
                if not held:
                    del self._held[lane]
                return [Ended(task, outcome)]
        return []

    def _lose(self, lane: str) -> list[Ended]:
        """Give up what a worker that is gone had, the oldest first."""
        held = self._held.pop(lane, [])
        self._lanes.pop(lane, None)
        for _, future in held:
            future.cancel(reason="its worker is gone")
        return [Ended(task, None) for task, _ in held]

    def kill(self, lane: str) -> None:
        """Have a worker's process replaced."""
        with contextlib.suppress(Exception):  # it may have no nanny; then its scan is given up
            self._client.restart_workers([lane], timeout=10, raise_for_error=False)
        self._lanes.pop(lane, None)
        self._listed = 0.0

    def close(self, *, at_once: bool = False) -> None:
        """Let go of the workers, and end those that were started for this run."""
        self._token.unlink(missing_ok=True)
        pending = [future for held in self._held.values() for _, future in held]
        if at_once and self._cluster is None and pending and self._stop_file is not None:
            self._stop_file.write_bytes(b"")
            with contextlib.suppress(Exception):
                distributed.wait(pending, timeout=_STOP_S)
        end_them = at_once and isinstance(self._cluster, distributed.LocalCluster)
        if end_them:
            self._cluster.shutdown_on_close = False  # or Dask waits for them when Python ends
            self._end_processes()
        with contextlib.suppress(Exception):
            self._client.close(timeout=0.5 if end_them else 5)
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                self._cluster.close(timeout=0.5 if end_them else 10)
        if end_them:
            self._end_processes()  # that were being started
        self._settings.close()

    def _end_processes(self) -> None:
        """Kill the workers of our own cluster, and wait until they write no more.

        They are not waited for by the system's call for that: Dask does, and then could not.
        """
        workers = list(self._cluster.workers.values())
        for worker in workers:
            worker.auto_restart = False
        pids = [worker.pid for worker in workers if worker.pid]
        end = time.monotonic() + 2
        for pid in pids:
            with contextlib.suppress(psutil.Error):
                psutil.Process(pid).kill()
        for pid in pids:
            with contextlib.suppress(psutil.Error):
                while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    if time.monotonic() > end:
                        return
                    time.sleep(0.02)


def _look(raw: str, token: str) -> Seen:
    """What a worker sees; runs there."""
    leave_ctrl_c_to_the_driver()
    there = Path(token)
    try:
        mine = there.with_name(f"{there.name}-{os.getpid()}-{platform.node()}")
        can_write = there.is_file()
        if can_write:
            mine.write_bytes(b"")
            mine.unlink()
    except OSError:
        can_write = False
    try:
        with os.scandir(raw) as entries:
            sees = any(True for _ in entries)
    except OSError:
        sees = False
    return Seen(platform.node(), __version__, np.__version__, sees, can_write)


def _is_death(error: BaseException | None) -> bool:
    """Whether a task failed because its process is gone, not by what it did."""
    return isinstance(error, distributed.scheduler.KilledWorker)
