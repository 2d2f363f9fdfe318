"""Threads are bounded when work is called, for transforms and compiled loops alike."""

import os
from concurrent import futures

import numba
import numpy as np
import pytest
import scipy.fft

from napari_qsm.errors import QsmError
from napari_qsm.phantom import grid as phantom_grid
from napari_qsm.recon import fourier, parallel
from napari_qsm.recon.inversion import passes
from napari_qsm.recon.unwrap.laplacian import solve_poisson

SHAPE = (8, 6, 10)


@pytest.fixture
def values():
    return np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)


def set_threads(monkeypatch, count):
    monkeypatch.setenv("NAPARI_QSM_THREADS", str(count))


def test_without_a_word_it_is_the_processors_this_process_may_use(monkeypatch):
    monkeypatch.delenv("NAPARI_QSM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 32)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    assert parallel.threads() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert parallel.threads() == 32


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "٣"])
def test_what_is_no_number_of_threads_is_refused(monkeypatch, text):
    set_threads(monkeypatch, text)
    with pytest.raises(QsmError, match="NAPARI_QSM_THREADS is"):
        parallel.threads()


def test_transforms_ask_at_every_call(monkeypatch, values):
    seen = []

    def spied(transform):
        def call(a, *args, **options):
            seen.append(options["workers"])
            return transform(a, *args, **options)

        return call

    for name in ("rfftn", "irfftn", "dctn", "idctn"):
        monkeypatch.setattr(scipy.fft, name, spied(getattr(scipy.fft, name)))
    for count in (1, 3):
        set_threads(monkeypatch, count)
        seen.clear()
        fourier.irfftn(fourier.rfftn(values), SHAPE)
        solve_poisson(values.copy(), (1, 1, 1))
        assert set(seen) == {count} and len(seen) == 4


def test_slabs_and_the_heads_blocks_take_so_many_threads(monkeypatch):
    seen = []

    class Pool(futures.ThreadPoolExecutor):
        def __init__(self, workers):
            seen.append(workers)
            super().__init__(workers)

    monkeypatch.setattr(parallel, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(phantom_grid, "ThreadPoolExecutor", Pool)
    set_threads(monkeypatch, 2)
    assert sum(parallel.by_slab(7, lambda start, stop: stop - start)) == 7
    phantom_grid.for_each([], lambda box: None)
    assert seen == [2, 2]


def test_compiled_sweeps_take_no_more_threads_and_give_the_same_bits(monkeypatch, values):
    monkeypatch.delenv("NAPARI_QSM_THREADS", raising=False)
    whole = [values.copy() for _ in range(2)]
    support = values > 0
    passes.confine(values, whole[0], whole[1], support, 0.5, 1.6)
    set_threads(monkeypatch, 1)
    bounded = [values.copy() for _ in range(2)]
    passes.confine(values, bounded[0], bounded[1], support, 0.5, 1.6)
    assert numba.get_num_threads() == 1
    for one, other in zip(whole, bounded, strict=True):
        assert one.tobytes() == other.tobytes()
    set_threads(monkeypatch, 10_000)  # more than numba's pool has is no error
    passes.confine(values, bounded[0], bounded[1], support, 0.5, 1.6)
    assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS
