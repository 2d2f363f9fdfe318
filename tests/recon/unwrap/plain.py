"""Unwrapping by plain numpy and scipy's spanning tree: what the compiled code must equal."""

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

WEIGHT_MAX = 65535


def laplacian(phase, voxel_size_mm):
    out = np.zeros(phase.shape, phase.dtype)
    for axis, size in enumerate(voxel_size_mm):
        step = _wrapped(np.diff(phase, axis=axis)) * phase.dtype.type(1 / size**2)
        before = (slice(None),) * axis
        out[(*before, slice(None, -1))] += step
        out[(*before, slice(1, None))] -= step
    return out


def edge_weights(phase, mask, later=None, ratio=0.0):
    phase = phase.astype(np.float32)
    later = None if later is None else later.astype(np.float32)
    out = np.zeros((3, *phase.shape), np.uint16)
    reliable = _reliability(phase, mask)
    for axis in range(3):
        _weights_along(axis, out[axis], phase, mask, reliable, later, np.float32(ratio))
    return out


def _reliability(phase, mask):
    """Mean of ``1 - |second difference|/pi`` over the axes, 0.5 where there is none."""
    total, count = np.zeros_like(phase), np.zeros(phase.shape, np.int64)
    for axis in range(3):
        if phase.shape[axis] < 3:
            continue
        step = _wrapped(np.diff(phase, axis=axis))
        bend = np.abs(_wrapped(np.diff(step, axis=axis))) * np.float32(1 / np.pi)
        before = (slice(None),) * axis
        inside = mask[(*before, slice(None, -2))] & mask[(*before, slice(2, None))]
        centre = (*before, slice(1, -1))
        inside &= mask[centre]
        total[centre] += np.where(inside, np.float32(1) - bend, np.float32(0))
        count[centre] += inside
    return np.where(count > 0, total / np.maximum(count, 1).astype(np.float32), np.float32(0.5))


def _weights_along(
    axis,
    out,
    phase,
    mask,
    reliable,
    later,
    ratio,
):
    if phase.shape[axis] < 2:
        return
    f = np.float32
    before = (slice(None),) * axis
    tails, heads = (*before, slice(None, -1)), (*before, slice(1, None))
    step = _wrapped(np.diff(phase, axis=axis))
    inside = mask[tails] & mask[heads]
    # Second differences centred on the tail and on the head; pairs at the rim have one or none.
    bend = np.abs(_wrapped(np.diff(step, axis=axis))) * f(1 / np.pi)
    bend_inside = inside[tails] & inside[heads]
    bend = np.where(bend_inside, f(1) - bend, f(0))
    total, count = np.zeros_like(step), np.zeros(step.shape, np.int64)
    for part in (heads, tails):
        total[part] += bend
        count[part] += bend_inside
    linear = np.where(count > 0, total / np.maximum(count, 1).astype(f), f(0.5))
    coherent = f(0.1) + f(0.9) * (f(1) - np.abs(step) * f(1 / np.pi))
    weight = coherent * coherent * (f(0.1) + f(0.9) * linear)
    trust = f(0.1) + f(0.9) * reliable
    weight *= trust[tails] * trust[heads]
    if later is not None:
        later_step = _wrapped(np.diff(later, axis=axis))
        weight *= f(0.1) + f(0.9) * np.maximum(f(0), f(1) - np.abs(step - later_step * ratio))
    quantised = (f(1) + weight * f(WEIGHT_MAX - 1)).astype(np.uint16)
    out[tails] = np.where(inside, quantised, 0)


def _wrapped(step):
    """Differences within (-2 pi, 2 pi) wrapped to [-pi, pi)."""
    pi, turn = step.dtype.type(np.pi), step.dtype.type(2 * np.pi)
    return step + np.where(step >= pi, -turn, np.where(step < -pi, turn, step.dtype.type(0)))


def grow(weights, phases, mask):
    """The same by scipy's spanning tree, with ranks as costs so that the tree is unique."""
    number = np.cumsum(mask.ravel()) - 1
    voxels = int(number[-1]) + 1
    strides = (mask.shape[1] * mask.shape[2], mask.shape[2], 1)
    lower = [np.flatnonzero(w) for w in weights]
    at = np.concatenate(lower)
    beyond = np.concatenate([i + s for i, s in zip(lower, strides, strict=True)])
    heaviness = np.concatenate([w.ravel()[i] for w, i in zip(weights, lower, strict=True)])
    order = np.argsort(-heaviness.astype(np.int32), kind="stable")
    rank = np.empty(order.size)
    rank[order] = np.arange(1, order.size + 1)
    graph = sparse.coo_matrix((rank, (number[at], number[beyond])), shape=(voxels, voxels))
    tree = csgraph.minimum_spanning_tree(graph.tocsr())
    count, part = csgraph.connected_components(tree, directed=False)
    kept = order[np.rint(tree.data).astype(np.int64) - 1]
    at, beyond = at[kept], beyond[kept]
    # One more node, joined to the first voxel of each part, roots the whole forest.
    first = np.full(count, voxels, np.int64)
    np.minimum.at(first, part, np.arange(voxels))
    rows = np.concatenate([number[at], np.full(count, voxels)])
    columns = np.concatenate([number[beyond], first])
    forest = sparse.coo_matrix((np.ones(rows.size), (rows, columns)), shape=(voxels + 1,) * 2)
    parent = csgraph.breadth_first_order(forest.tocsr(), voxels, directed=False)[1]
    parent[voxels] = voxels
    flat = phases.reshape(len(phases), -1)
    step = flat[:, beyond] - flat[:, at]
    across = (step < -np.float32(np.pi)).astype(np.int32) - (step > np.float32(np.pi))
    down = parent[number[beyond]] == number[at]
    turns = np.zeros((len(phases), voxels + 1), np.int32)
    turns[:, np.where(down, number[beyond], number[at])] = np.where(down, across, -across)
    # Each pass adds the turns of the parent and skips to the grandparent: log2(depth) passes.
    while (parent != voxels).any():
        turns += turns[:, parent]
        parent = parent[parent]
    return turns[:, :voxels], part.astype(np.int32)
