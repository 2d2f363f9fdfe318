"""Who does the work on scans: what every kind of worker offers, and the one that needs nothing.

A *lane* is one process that takes one scan at a time. Whoever hands out the scans knows which
lane has which, so that when a process dies, the scan it was at is known, and no other is blamed.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Protocol

from napari_qsm.study.batch.task import Outcome, Task, carry_out

#: The work on a scan.
Work = Callable[[Task], Outcome]


@dataclass(frozen=True)
class Ended:
    """A task that is over.

    Attributes
    ----------
    task : Task
    outcome : Outcome or None
        None if the process that had it is gone.
    """

    task: Task
    outcome: Outcome | None


class Workers(Protocol):
    """Processes that take scans."""

    def lanes(self) -> dict[str, int]:
        """Lanes that take scans now, each with the threads that a scan may use there."""

    def start(self, lane: str, task: Task) -> None:
        """Hand a scan to a lane, behind those that it has."""

    def ended(self, seconds: float) -> list[Ended]:
        """Tasks that are over; waits so long for the first."""

    def kill(self, lane: str) -> None:
        """End a lane's process, which does not answer; the lane comes back if it can."""

    def close(self, *, at_once: bool = False) -> None:
        """Let go of all lanes; at once, when the user has asked to stop."""


class OneProcess:
    """One process beside this one, which takes one scan after the other.

    Parameters
    ----------
    threads : int
        That a scan may use.
    work : callable
        What is done with each task.
    """

    def __init__(self, threads: int, work: Work = carry_out) -> None:
        self._threads = threads
        self._work = work
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._tasks: list[Task] = []

    def lanes(self) -> dict[str, int]:
        """Always the one."""
        return {"here": self._threads}

    def start(self, lane: str, task: Task) -> None:
        """Hand a scan to the process, which is started if it does not run."""
        if self._process is None or not self._process.is_alive():
            # Not forked: threads of the arithmetic do not survive that.
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self._work), daemon=True)
            before = block_interrupts()
            try:
                self._process.start()
            finally:
                unblock_interrupts(before)
            theirs.close()
        self._tasks.append(task)
        assert self._pipe is not None
        self._pipe.send(task)

    def ended(self, seconds: float) -> list[Ended]:
        """Tasks that are over."""
        if not self._tasks or self._pipe is None or self._process is None:
            time.sleep(seconds)
            return []
        wait([self._pipe, self._process.sentinel], seconds)
        try:
            if self._pipe.poll():
                outcome = self._pipe.recv()  # nothing comes from a process that ended
                return [Ended(self._tasks.pop(0), outcome)]
        except (EOFError, OSError):
            pass
        if self._process.is_alive():
            return []
        lost, self._tasks = self._tasks, []
        return [Ended(task, None) for task in lost]

    def kill(self, lane: str) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join(5)

    def close(self, *, at_once: bool = False) -> None:
        """End the process, which has nothing to do, or no more time."""
        self.kill("here")
        if self._pipe is not None:
            self._pipe.close()


def _serve(pipe: Connection, work: Work) -> None:
    """Take tasks from a pipe until it closes."""
    leave_ctrl_c_to_the_driver()
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(work(task))


def block_interrupts() -> set[signal.Signals | int]:
    """Let no Ctrl-C reach this thread, nor any process that it starts; returns what was blocked.

    A terminal sends it to every process of a command, while only the first should act on it.
    Windows has no such mask; there a process ignores it from when it takes its first scan.
    """
    if sys.platform == "win32":
        return set()
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}))


def unblock_interrupts(before: set[signal.Signals | int]) -> None:
    """Let through again what was before :func:`block_interrupts`."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_ctrl_c_to_the_driver() -> None:
    """Ignore Ctrl-C in a worker: a terminal sends it to every process of a command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
