"""What has been made of one scan: results of stages, and a mask that was painted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_qsm.arrays import Array
    from napari_qsm.study.stage_task import StageResult
    from napari_qsm.volume import Volume


@dataclass(frozen=True)
class ManualEdit:
    """What a brush has done to a mask: the mask now, and how many voxels differ."""

    mask: Array
    added: int
    removed: int
    number: int


@dataclass
class ScanResults:
    """Results of one scan, current or not.

    Attributes
    ----------
    last, before : dict of str to StageResult
        The last good result of each stage, and the one before it.
    painted : ManualEdit or None
        What a brush has done to the last mask.
    given_mask : Volume or None
        The mask that was given when the last mask was made.
    """

    last: dict[str, StageResult] = field(default_factory=dict)
    before: dict[str, StageResult] = field(default_factory=dict)
    painted: ManualEdit | None = None
    given_mask: Volume | None = None

    def take(self, made: StageResult, given_mask: Volume | None) -> None:
        """A stage has come to its end; what it made replaces its last result."""
        old = self.last.get(made.stage)
        if old is not None:
            self.before[made.stage] = old
        self.last[made.stage] = made
        if made.stage == "mask":
            self.painted, self.given_mask = None, given_mask

    def paint(self, mask: Array) -> None:
        """The last mask's voxels as they are now, non-zero inside."""
        before = self.last["mask"].quantities["mask"]
        now = np.ascontiguousarray(mask != 0)
        added = int(np.count_nonzero(now & ~before))
        removed = int(np.count_nonzero(before & ~now))
        number = hash(np.packbits(now).tobytes())
        self.painted = ManualEdit(now, added, removed, number) if added or removed else None

    def handed_on(self, stage: str, hand: ManualEdit | None) -> dict[str, Any]:
        """What later stages get of a result; a painted mask as it is now."""
        out = dict(self.last[stage].quantities)
        return dict.fromkeys(out, hand.mask) if stage == "mask" and hand is not None else out

    def records(
        self, stages: Sequence[str], hand: ManualEdit | None, upto: str | None = None
    ) -> list[dict[str, Any]]:
        """How the results came about, stage by stage, up to one of them."""
        records = []
        for stage in stages:
            result = self.last.get(stage)
            if result is not None:
                record = dict(result.record)
                if stage == "mask" and hand is not None:
                    record["edited_by_hand"] = {"added": hand.added, "removed": hand.removed}
                records.append(record)
            if stage == upto:
                break
        return records
