"""Values kept from an earlier version, and how close later ones have to come.

Where numbers, libraries and the processor's instructions are those that the values were kept
with, arrays must be equal to the last bit (their SHA-256 is kept). Elsewhere a sample of every
fourth voxel along each axis, and the sum over all, must agree closely.
"""

import hashlib
import json
import platform

import numpy as np
import scipy

#: Largest difference elsewhere, as a part of the largest value.
CLOSE = 2e-4
#: Part of a mask's or label map's voxels that may differ elsewhere.
FEW = 2e-3
#: Root mean square by which a picture may differ elsewhere, of 255.
LIKE = 8.0
_STEP = 4


def here():
    """What has to be the same for two runs to give the same bits."""
    features = np._core._multiarray_umath.__cpu_features__
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": _version("numba"),
        "matplotlib": _version("matplotlib"),
        "instructions": " ".join(sorted(name for name, there in features.items() if there)),
    }


def _version(library):
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def write(folder, name, values):
    """Keep what a run gave: arrays as samples and sums, anything else as JSON."""
    arrays, samples = {}, {}
    for key, value in values.items():
        if isinstance(value, np.ndarray):
            arrays[key] = about(value)
            samples[key] = sample(value)
    content = {
        "here": here(),
        "arrays": arrays,
        "values": {k: v for k, v in values.items() if not isinstance(v, np.ndarray)},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    if samples:
        np.savez_compressed(folder / f"{name}.npz", **samples)


def about(array):
    array = np.ascontiguousarray(array)
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "sha256": hashlib.sha256(array.data).hexdigest(),
        "sum": float(array.sum(dtype=np.float64)),
        "largest": float(np.abs(array.astype(np.float64)).max()),
    }


def sample(array):
    return array[tuple(slice(None, None, _STEP) for _ in array.shape)]


def differences(folder, name, values):
    """Return sentences about what is not as it was kept; none if all is."""
    kept = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    exact = kept["here"] == here()
    samples = np.load(folder / f"{name}.npz") if (folder / f"{name}.npz").exists() else {}
    found = []
    names = {*kept["arrays"], *kept["values"]}
    if names != set(values):
        found.append(f"not the same results: {sorted(names ^ set(values))}")
    for key in names & set(values):
        if key in kept["values"]:
            found += _unlike(kept["values"][key], values[key], key, 1e-9 if exact else CLOSE)
        else:
            found += _other(kept["arrays"][key], samples[key], values[key], key, exact)
    return found


def _other(before, sampled, array, key, exact):
    now = about(array)
    for what in ("shape", "dtype"):
        if now[what] != before[what]:
            return [f"{key}: {what} is {now[what]}, was {before[what]}"]
    if exact:
        if now["sha256"] == before["sha256"]:
            return []
        return [f"{key}: not bit-equal; sum {now['sum']!r}, was {before['sum']!r}"]
    difference = np.abs(sample(array).astype(np.float64) - sampled.astype(np.float64))
    if key.endswith("picture"):  # letters are drawn a little differently elsewhere
        rms = np.sqrt((difference**2).mean())
        return [f"{key}: differs by {rms:.1f} grey values"] if rms > LIKE else []
    if array.dtype.kind in "iub":
        if (difference > 0).mean() > FEW:
            return [f"{key}: {(difference > 0).mean():.2%} of the voxels differ"]
    elif not difference.max() <= CLOSE * before["largest"]:
        return [f"{key}: differs by up to {difference.max()}, largest value {before['largest']}"]
    return []


def _unlike(before, now, where, close):
    """Sentences about where two values of JSON differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        found = (
            [f"{where}: keys {sorted(set(before) ^ set(now))}"] if set(before) ^ set(now) else []
        )
        for key in set(before) & set(now):
            found += _unlike(before[key], now[key], f"{where}.{key}", close)
        return found
    if isinstance(before, list) and isinstance(now, list | tuple):
        if len(before) != len(now):
            return [f"{where}: {len(now)} entries, were {len(before)}"]
        pairs = enumerate(zip(before, now, strict=True))
        return [each for i, (a, b) in pairs for each in _unlike(a, b, f"{where}[{i}]", close)]
    if isinstance(before, float) and isinstance(now, int | float):
        scale = max(abs(before), abs(now))
        same = (
            before == now or abs(before - now) <= close * scale or (before != before and now != now)
        )
        return [] if same else [f"{where}: {now!r}, was {before!r}"]
    return [] if before == now else [f"{where}: {now!r}, was {before!r}"]
