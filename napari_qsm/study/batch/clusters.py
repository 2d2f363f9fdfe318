"""Clusters of Dask: made on this machine, joined by address, or asked of SLURM."""

from __future__ import annotations

import contextlib
import logging
import warnings
from pathlib import Path
from typing import Any

import dask
import distributed
import numpy as np

from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.plain_data import PlainDataError, parse_yaml
from napari_qsm.io.text import read_text
from napari_qsm.recon.parallel import THREADS_VARIABLE
from napari_qsm.study.batch.dask_workers import DaskWorkers
from napari_qsm.study.batch.workers import block_interrupts

#: Environment of a worker process before it starts. Dask sets MALLOC_TRIM_THRESHOLD_ as well, by
#: which each large array goes back to the system at once; with that a third of all processor time
#: is spent on taking memory anew.
BEFORE_START = {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1}
#: How long a scheduler may take to answer, s.
_ANSWER_S = 20.0
_CONFIG: dict[str, Any] = {
    "distributed.nanny.pre-spawn-environ": BEFORE_START,
    "distributed.scheduler.allowed-failures": 0,
    # A scan is one task that cannot be spilled or paused; only too much memory is an end.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.comm.timeouts.connect": f"{_ANSWER_S:g}s",
}


def local(
    count: int, threads: int, limit_bytes: int, raw: Path, study: Path, **more: Any
) -> DaskWorkers:
    """Workers on this machine, one process each.

    Parameters
    ----------
    count : int
        How many.
    threads : int
        That each may use.
    limit_bytes : int
        Memory beyond which a process is ended.
    raw, study : Path
    **more
        As for :class:`DaskWorkers`.
    """
    environment = {THREADS_VARIABLE: str(threads), "NUMBA_NUM_THREADS": str(threads)}
    settings = _settings()
    cluster = distributed.LocalCluster(
        n_workers=0,  # they come one by one, and scans are handed out to the first
        threads_per_worker=1,
        processes=True,
        memory_limit=limit_bytes,
        dashboard_address="127.0.0.1:0",  # None takes port 8787, and complains where it is taken
        silence_logs=logging.CRITICAL,
        env=environment,
    )
    cluster.sync(_block_interrupts)
    workers = _joined(cluster, raw, study, cluster=cluster, settings=settings, **more)
    cluster.scale(count)
    return workers


async def _block_interrupts() -> None:
    """Let no Ctrl-C reach the thread of the cluster, nor the processes that it starts."""
    block_interrupts()


def joined(address: str, raw: Path, study: Path, **more: Any) -> DaskWorkers:
    """Workers of a scheduler that runs already.

    Parameters
    ----------
    address : str
        ``tcp://host:8786``, or a scheduler file.
    raw, study : Path
    **more
        As for :class:`DaskWorkers`.

    Raises
    ------
    QsmError
        If nobody answers there.
    """
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    return _joined(where, raw, study, settings=_settings(), **more)


def slurm(
    jobs: int, needed_gib: float, options: Path | None, raw: Path, study: Path, **more: Any
) -> DaskWorkers:
    """Workers in jobs of SLURM, one scan a job at a time.

    Parameters
    ----------
    jobs : int
        How many to ask for.
    needed_gib : float
        Memory of a scan.
    options : Path or None
        YAML with what ``dask_jobqueue.SLURMCluster`` takes: queue, account, walltime, cores,
        memory and so on, alone or under ``jobqueue: slurm:`` as in Dask's own configuration.
    raw, study : Path
    **more
        As for :class:`DaskWorkers`.

    Raises
    ------
    QsmError
        If dask-jobqueue is not installed, or the file has other options.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise QsmError('--slurm needs dask-jobqueue: pip install "napari-qsm[cluster]".') from error
    wanted = slurm_options(options, needed_gib)
    settings = _settings()
    try:
        cluster = SLURMCluster(**wanted)
    except (TypeError, ValueError) as error:
        raise QsmError(f"SLURM's options cannot be used: {error}") from error
    workers = _joined(cluster, raw, study, cluster=cluster, settings=settings, **more)
    cluster.scale(jobs=jobs)
    return workers


def slurm_options(path: Path | None, needed_gib: float) -> dict[str, Any]:
    """What a job is asked for: the user's own words first, then Dask's configuration, then ours.

    Raises
    ------
    FileError
        If the file holds no options.
    """
    said: dict[str, Any] = {}
    if path is not None:
        try:
            read = parse_yaml(read_text(path, "file of SLURM's options"))
        except PlainDataError as error:
            raise FileError(f"'{path}' {error}.") from error
        for key in ("jobqueue", "slurm"):
            read = read[key] if isinstance(read, dict) and key in read else read
        if not isinstance(read, dict):
            raise FileError(f"'{path}' holds no options such as 'queue: short'.")
        said = {str(key).replace("-", "_"): value for key, value in read.items()}
    configured = dask.config.get("jobqueue.slurm", {})
    ours = {"cores": 1, "memory": f"{max(np.ceil(1.3 * needed_gib), 2):.0f}GiB"}
    for key, value in ours.items():
        if key not in said and configured.get(key) is None:
            said[key] = value
    said["processes"] = 1
    prologue = said.get("job_script_prologue") or configured.get("job-script-prologue") or []
    without = "{'MALLOC_TRIM_THRESHOLD_': None}"
    line = f'export DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON="{without}"'
    return said | {"job_script_prologue": [*prologue, line]}


def _joined(where: Any, raw: Path, study: Path, **more: Any) -> DaskWorkers:
    given = where if isinstance(where, dict) else {"address": where}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, which are looked at one by one
            client = distributed.Client(**given, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        _close(more.get("cluster"))
        raise QsmError(
            f"No scheduler of Dask answers at '{where}' ({error}); start one with 'dask scheduler' "
            "and give the address that it prints."
        ) from error
    try:
        return DaskWorkers(client, raw, study, **more)
    except BaseException:
        client.close(timeout=2)
        _close(more.get("cluster"))
        raise


def _close(cluster: Any) -> None:
    if cluster is not None:
        cluster.close(timeout=5)


def _settings() -> contextlib.ExitStack:
    """Our settings until the stack closes, and silence about workers that come, go and die.

    They have to last: Dask reads them whenever it starts a worker.
    """
    for name in ("distributed", *dask.config.get("logging", {}), "distributed.nanny"):
        if name.startswith("distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    stack = contextlib.ExitStack()
    stack.enter_context(dask.config.set(_CONFIG))
    return stack
