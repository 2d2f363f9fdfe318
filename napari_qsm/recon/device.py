"""A graphics processor, where somebody asks for one: arrays there and back, and transforms.

``NAPARI_QSM_DEVICE`` names it: ``cupy``, ``torch``, or PyTorch with its own name of a device, such as
``torch:cuda:1`` or ``torch:cpu``. Without the variable everything is computed on the processor, by
compiled loops. What moves is what takes longest: the steps of the inversions by total variation, and
means over large balls. Both are written once more for it, in terms of the Python array API
(https://data-apis.org/array-api), so that they do not know which library they work with.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.recon import fourier

#: Environment variable that names the device.
DEVICE_VARIABLE = "NAPARI_QSM_DEVICE"
PROCESSOR = "processor"
_TITLES = {"cupy": "CuPy", "torch": "PyTorch"}


@dataclass(frozen=True)
class Device:
    """Where arrays lie and transforms are computed.

    Attributes
    ----------
    name : str
        For the provenance.
    xp : module or None
        Namespace of the array API; None on the processor, where loops are compiled.
    put, back : callable
        An array of numpy brought there, and one from there as an array of numpy.
    """

    name: str
    xp: Any = None
    put: Callable[[Array], Any] = lambda array: array
    back: Callable[[Any], Array] = lambda array: array

    def rfftn(self, a: Any) -> Any:
        """Forward real transform of an array that lies there."""
        return fourier.rfftn(a) if self.xp is None else self.xp.fft.rfftn(a, axes=(0, 1, 2))

    def irfftn(self, a: Any, shape: Sequence[int]) -> Any:
        """Inverse of :meth:`rfftn` to an array of the given shape; may overwrite ``a``."""
        if self.xp is None:
            return fourier.irfftn(a, shape)
        return self.xp.fft.irfftn(a, s=tuple(shape), axes=(0, 1, 2))

    def zeros_like(self, a: Any) -> Any:
        """Zeros of the shape and type of an array that lies there."""
        return np.zeros_like(a) if self.xp is None else self.xp.zeros_like(a)


def device() -> Device:
    """The device that ``NAPARI_QSM_DEVICE`` names, asked at every call; else the processor.

    Raises
    ------
    QsmError
        If it is unknown or not there; nothing else is used instead.
    """
    return device_named(os.environ.get(DEVICE_VARIABLE, "").strip())


@contextmanager
def using_device(name: str) -> Iterator[None]:
    """Have :func:`device` give another one for a while; nothing changes for an empty name."""
    before = os.environ.get(DEVICE_VARIABLE)
    if name:
        os.environ[DEVICE_VARIABLE] = name
    try:
        yield
    finally:
        if before is not None:
            os.environ[DEVICE_VARIABLE] = before
        else:
            os.environ.pop(DEVICE_VARIABLE, None)


@lru_cache
def device_named(name: str) -> Device:
    """The device of a name, as :func:`device` takes it; the processor for an empty one.

    Raises
    ------
    QsmError
        See :func:`device`.
    """
    if name in ("", PROCESSOR):
        return Device(PROCESSOR)
    library, _, place = name.partition(":")
    if library not in _TITLES or (library == "cupy" and place):
        raise QsmError(
            f"{DEVICE_VARIABLE} or --device is '{name}'; it takes {PROCESSOR}, cupy, torch, or torch "
            "with the name of a device, such as torch:cuda:1."
        )
    own, xp = (_imported(module, library) for module in (library, f"array_api_compat.{library}"))
    return _cupy(own, xp) if library == "cupy" else _torch(own, xp, place)


def _imported(module: str, library: str) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as error:  # a library without its driver fails in many ways
        raise QsmError(
            f"Computing with {_TITLES[library]} was asked for, but the package "
            f"{module.partition('.')[0].replace('_', '-')} cannot be used here: {_line(error)}. "
            f"Install 'napari-qsm[{library}]', or leave out the device."
        ) from error


def _cupy(cupy: Any, xp: Any) -> Device:
    try:
        number = cupy.cuda.Device().id
        title = cupy.cuda.runtime.getDeviceProperties(number)["name"].decode()
    except Exception as error:  # of many kinds, by driver and version
        raise QsmError(f"CuPy finds no graphics processor here: {_line(error)}.") from error
    return Device(f"cupy {cupy.__version__}, {title}", xp, cupy.asarray, cupy.asnumpy)


def _torch(torch: Any, xp: Any, place: str) -> Device:
    if not place and not torch.cuda.is_available():
        raise QsmError(
            "PyTorch finds no graphics processor here; name one as PyTorch does (torch:mps), or "
            "torch:cpu to compute with PyTorch on the processor."
        )
    place = place or "cuda"
    try:
        torch.zeros(1, device=place).cpu()
    except Exception as error:  # of many kinds, by device and version
        raise QsmError(f"PyTorch cannot use the device '{place}': {_line(error)}.") from error

    def put(array: Array) -> Any:
        return torch.from_numpy(np.ascontiguousarray(array)).to(place, copy=True)

    return Device(f"torch {torch.__version__}, {place}", xp, put, lambda a: a.cpu().numpy())


def _line(error: Exception) -> str:
    """The first line of what a library says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
