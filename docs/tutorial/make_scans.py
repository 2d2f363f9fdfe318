"""Write a made-up cohort into a BIDS data set: 4 patients at 2 visits, 3 controls at one.

    python docs/tutorial/make_scans.py RAW

Every scan is the built-in head. The iron of each participant is a factor on its susceptibility,
drawn at random; patients have 12 % more at t1 than at t0, with some scatter, and their (made-up) IRLS score falls. So what the study should find is known.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_qsm.outputs import write_head_bids
from napari_qsm.phantom import Head, make_head
from napari_qsm.recon.fourier import field_ppm_per_rad

TE_S, B0_T, SNR = 0.021, 3.0, 60.0
GRID = {"shape": (84, 104, 48), "voxel_size_mm": (2.0, 2.0, 2.5)}
VISITS = {"t0": 1.0, "t1": 1.12}
PATIENTS = [f"{n:02d}" for n in range(1, 5)]
CONTROLS = [f"{n:02d}" for n in range(5, 8)]


def with_iron(head: Head, factor: float, rng: np.random.Generator) -> Head:
    """The head with its susceptibility times a factor, scanned with new noise."""
    phase, magnitude = head.scan.phase[0], head.scan.magnitude[0]
    more = (factor - 1) * head.local_field.data / field_ppm_per_rad(TE_S, B0_T)
    signal = magnitude.data * np.exp(1j * (phase.data + more))
    noise = rng.normal(size=(2, *signal.shape)) * np.percentile(magnitude.data, 90) / SNR
    signal = signal + noise[0] + 1j * noise[1]
    scan = replace(
        head.scan,
        phase=(phase.with_data(np.angle(signal).astype(np.float32)),),
        magnitude=(magnitude.with_data(np.abs(signal).astype(np.float32)),),
    )
    inside = np.asarray(head.mask.data) > 0
    chi = head.chi.with_data(np.where(inside, factor * head.chi.data, head.chi.data))
    local = head.local_field.with_data(factor * head.local_field.data)
    return replace(head, scan=scan, chi=chi, local_field=local)


def main(raw: Path) -> None:
    """Write scans, ``participants.tsv`` and ``phenotype/irls.tsv``."""
    rng = np.random.default_rng(31)
    head = make_head("control", **GRID, echo_times_s=(TE_S,), field_strength_t=B0_T, snr=None)
    people = ["participant_id\tgroup\tage\tsex"]
    scores = ["participant_id\tsession_id\tirls"]
    raw.mkdir()
    for number, person in enumerate([*PATIENTS, *CONTROLS]):
        is_patient = person in PATIENTS
        people.append(
            f"sub-{person}\t{'patient' if is_patient else 'control'}\t{50 + 7 * number % 20}\t"
            f"{'FM'[number % 2]}"
        )
        own = rng.normal(1.0, 0.08)
        for visit, factor in VISITS.items() if is_patient else [("t0", 1.0)]:
            iron = own * (factor + rng.normal(0, 0.03) * (visit != "t0"))
            made = with_iron(head, iron, rng)
            write_head_bids(made, raw, participant=person, session=visit)
            if is_patient:
                score = 30 - 80 * (iron / own - 1) + rng.normal(0, 2)
                scores.append(f"sub-{person}\tses-{visit}\t{score:.0f}")
    (raw / "participants.tsv").write_text("\n".join(people) + "\n", encoding="utf-8")
    (raw / "phenotype").mkdir()
    (raw / "phenotype" / "irls.tsv").write_text("\n".join(scores) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"{len(scores) - 1 + len(CONTROLS)} scans of {len(people) - 1} participants in '{raw}'.\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
