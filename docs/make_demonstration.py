"""Makes the finished heads that the demonstration opens on; some minutes for each."""

from __future__ import annotations

from dataclasses import replace

from napari_qsm.demo import reconstruct_subject
from napari_qsm.phantom import SUBJECTS
from napari_qsm.phantom.finished import FOLDER, write_finished


def main() -> None:
    """Reconstruct both subjects and write them into the package."""
    for subject in SUBJECTS:
        head, result = reconstruct_subject(subject, lambda what, fraction: None)
        chi = replace(result.volume("chi_ppm"), name="chi")
        write_finished(FOLDER, head, chi, result.provenance)


if __name__ == "__main__":
    main()
