"""Hand out scans to workers until all are done, and judge what becomes of them.

Each lane has one scan. Where scans are short, it has the next ones as well, so that it need not
wait for us. A scan whose process died, ran out of memory or out of time is tried once more, when
nothing else runs; those that waited behind it in the same lane are handed out again, unblamed.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from napari_qsm.study.batch.task import Outcome, Task
from napari_qsm.study.batch.workers import Ended, Workers

#: How long to wait for news before looking round, s.
_LOOK_S = 0.5
#: Scans that take less than this on average are handed out ahead, for as long as news may take, s.
_SHORT_S, _NEWS_S = 2.0, 0.5
#: What a scan is given beyond its time to stop by itself before its process is ended, s.
_GRACE_S = 30.0

_KILLED = (
    "The process that had this scan ended before it was done, twice; most often there was too "
    "little memory (try --jobs 1, or --memory-gib)."
)


@dataclass
class _Try:
    task: Task
    lane: str
    since: float
    again: bool


class _Run:
    """One run over many scans."""

    def __init__(
        self,
        tasks: Sequence[Task],
        workers: Workers,
        on_start: Callable[[Task], None],
        on_end: Callable[[Task, Outcome], None],
    ) -> None:
        self.waiting = deque(tasks)
        self.retries: deque[Task] = deque()
        self.tries: dict[str, _Try] = {}  # by scan, the oldest of each lane first
        self.workers = workers
        self.on_start = on_start
        self.on_end = on_end
        self.seconds: list[float] = []

    @property
    def left(self) -> int:
        return len(self.waiting) + len(self.retries) + len(self.tries)

    def hand_out(self) -> None:
        """Give every lane what it may take now."""
        if not self.waiting:
            if self.retries and not self.tries:
                for lane, threads in self.workers.lanes().items():
                    self._start(lane, threads, self.retries.popleft(), again=True)
                    break
            return
        load: dict[str, int] = {}
        for each in self.tries.values():
            load[each.lane] = load.get(each.lane, 0) + 1
        lanes = self.workers.lanes()
        for depth in range(1 + self._ahead()):
            for lane, threads in lanes.items():
                if load.get(lane, 0) > depth:
                    continue
                task = self._next()
                if task is None:
                    return
                load[lane] = load.get(lane, 0) + 1
                self._start(lane, threads, task, again=False)

    def _ahead(self) -> int:
        """How many scans a lane has beyond the one it is at."""
        mean = sum(self.seconds) / len(self.seconds) if self.seconds else _SHORT_S
        return math.ceil(_NEWS_S / max(mean, _NEWS_S / 16)) if mean < _SHORT_S else 0

    def _next(self) -> Task | None:
        """The next scan of a visit that no other lane is at; two would meet in its folder."""
        busy = {each.task.visit for each in self.tries.values()}
        for task in self.waiting:
            if task.visit not in busy:
                self.waiting.remove(task)
                return task
        return None

    def _start(self, lane: str, threads: int, task: Task, *, again: bool) -> None:
        task = replace(task, threads=threads, overwrite=task.overwrite or again)
        self.tries[task.scan] = _Try(task, lane, time.monotonic(), again)
        self.workers.start(lane, task)
        if sum(each.lane == lane for each in self.tries.values()) == 1:
            self.on_start(task)

    def take(self, ended: Ended) -> None:
        """Judge a task that is over."""
        this = self.tries.pop(ended.task.scan, None)
        if this is None:
            return
        ahead = next((each for each in self.tries.values() if each.lane == this.lane), None)
        if ahead is not None and ended.outcome is not None:  # its turn begins now
            ahead.since = time.monotonic()
            self.on_start(ahead.task)
        if ended.outcome is None:
            self._lost(this)
        elif ended.outcome.again and not this.again:
            self.retries.append(this.task)
        else:
            self.seconds.append(ended.outcome.seconds)
            self.on_end(this.task, ended.outcome)

    def _lost(self, this: _Try) -> None:
        """A process is gone: with the scan it was at, and the one behind that."""
        behind = [each for each in self.tries.values() if each.lane == this.lane]
        for each in behind:
            del self.tries[each.task.scan]
        self.waiting.extendleft(each.task for each in behind)
        if this.again:
            seconds = time.monotonic() - this.since
            self.on_end(this.task, Outcome("failed", _KILLED, seconds))
        else:
            self.retries.append(this.task)

    def end_overdue(self) -> None:
        """End processes that did not stop by themselves when their time was over."""
        now = time.monotonic()
        heads: dict[str, _Try] = {}
        for each in self.tries.values():
            heads.setdefault(each.lane, each)
        for lane, each in heads.items():
            if each.task.longest_s and now - each.since > each.task.longest_s + _GRACE_S:
                self.workers.kill(lane)


def run_all(
    tasks: Sequence[Task],
    workers: Workers,
    *,
    on_start: Callable[[Task], None] = lambda task: None,
    on_end: Callable[[Task, Outcome], None] = lambda task, outcome: None,
    on_look: Callable[[int], None] = lambda left: None,
) -> None:
    """Have every task done.

    Parameters
    ----------
    tasks : sequence of Task
        In the order in which they are begun.
    workers : Workers
        Who does it; not closed here.
    on_start, on_end : callable
        Told each task when a lane is at it, and when its last try is over.
    on_look : callable
        Told, every half second at least, how many are left.
    """
    run = _Run(tasks, workers, on_start, on_end)
    while run.left:
        run.hand_out()
        for ended in workers.ended(_LOOK_S):
            run.take(ended)
        run.end_overdue()
        on_look(run.left)
