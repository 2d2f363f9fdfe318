"""Work on a device of the array API gives what compiled loops give on the processor."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.recon import device as devices
from napari_qsm.recon.background import balls
from napari_qsm.recon.background.sharp import vsharp
from napari_qsm.recon.fourier import forward_field
from napari_qsm.recon.inversion import admm
from napari_qsm.recon.inversion.medi import medi
from napari_qsm.recon.inversion.star import star
from napari_qsm.recon.inversion.tv import tv

SIDES, B0 = (1.0, 1.2, 1.5), (0.0, 0.6, 0.8)


def strict():
    """The reference library of the standard, which knows nothing beyond it."""
    xp = pytest.importorskip("array_api_strict")
    return devices.Device("strict", xp, lambda a: xp.asarray(a, copy=True), lambda a: np.array(a))


def torch():
    pytest.importorskip("array_api_compat")
    pytest.importorskip("torch", exc_type=ImportError)
    return devices.device_named("torch:cpu")


@pytest.fixture(params=[strict, torch], ids=["strict", "torch"])
def on_device(request, monkeypatch):
    """Have the work done there; counts the transforms."""
    found = request.param()
    calls = []

    class Counted(devices.Device):
        def rfftn(self, a):
            calls.append(1)
            return super().rfftn(a)

    counted = Counted(found.name, found.xp, found.put, found.back)

    def use():
        for module in (admm, balls):
            monkeypatch.setattr(module, "device", lambda: counted)
        return calls

    return use


@pytest.fixture(scope="module")
def tissue():
    """A ball of tissue with a strong source, its field and a background, ppm."""
    x, y, z = np.meshgrid(*(np.arange(n) - n / 2 for n in (30, 26, 22)), indexing="ij")
    mask = x**2 + y**2 + z**2 < 10**2
    rng = np.random.default_rng(2)
    chi = 0.1 * (np.abs(x - 3) < 2) * (np.abs(y) < 3) * (np.abs(z) < 3) + 0.002 * rng.normal(
        size=x.shape
    )
    chi += 1.2 * ((x + 4) ** 2 + y**2 + z**2 < 4)
    chi = (chi * mask).astype(np.float32)
    field = forward_field(chi, SIDES, B0) + 0.001 * rng.normal(size=x.shape).astype(np.float32)
    magnitude = (100 + 300 * chi * mask).astype(np.float32)[None]
    total = (field + 0.02 * x - 0.01 * y).astype(np.float32)
    return np.where(mask, field, 0).astype(np.float32), total, mask, magnitude


def close(found, known):
    assert found.dtype == known.dtype
    assert np.abs(found - known).max() < 1e-4 * np.abs(known).max()


@pytest.mark.parametrize("method", [star, tv])
def test_inversions_with_updates_of_the_background_agree(method, tissue, on_device):
    field, total, mask, magnitude = tissue
    given = (field, mask, SIDES, B0, magnitude, None, total, mask)
    settings = {"iterations": 16, "updates": 1, "follow_noise": True}
    known = method(*given, **settings)
    calls = on_device()
    close(method(*given, **settings), known)
    assert len(calls) > 40


def test_the_nonlinear_data_term_agrees(tissue, on_device):
    field, _, mask, magnitude = tissue
    names = {"local_field_ppm": field, "local_mask": mask, "voxel_size_mm": SIDES}
    names |= {"b0_direction": B0, "magnitude": magnitude, "iterations": 6}
    known = medi(**names)
    on_device()
    close(medi(**names), known)


def test_means_over_balls_agree(tissue, on_device, monkeypatch):
    _, total, mask, _ = tissue
    monkeypatch.setattr(balls, "DIRECT_SUMS", 0)  # by transform, however small
    settings = {"deconvolution": "none", "radius_max_mm": 6.0, "radius_min_mm": 2.0}
    known, inside = vsharp(total, mask, SIDES, B0, **settings)
    assert on_device() == []
    found, within = vsharp(total, mask, SIDES, B0, **settings)
    assert (within == inside).all()
    close(found, known)


def test_what_is_not_there_is_said_and_nothing_else_is_used(monkeypatch):
    def absent(name):
        raise ImportError("libcuda.so.1: cannot open shared object file")

    devices.device_named.cache_clear()
    monkeypatch.setattr(devices.importlib, "import_module", absent)
    for name in ("cupy", "torch", "torch:cuda:1"):
        with pytest.raises(QsmError, match=r"was asked for, but .* cannot be used here"):
            devices.device_named(name)
    for name in ("gpu", "cupy:1", "numpy"):
        with pytest.raises(QsmError, match="it takes processor, cupy, torch"):
            devices.device_named(name)
    devices.device_named.cache_clear()


def test_a_device_is_asked_for_by_name_and_for_a_while(monkeypatch):
    monkeypatch.delenv(devices.DEVICE_VARIABLE, raising=False)
    assert devices.device().name == "processor"
    with devices.using_device("nowhere"), pytest.raises(QsmError, match="nowhere"):
        devices.device()
    assert devices.device().name == "processor"
