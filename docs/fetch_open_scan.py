"""Fetches an open whole-brain scan and writes its sidecars, ready to open and to reconstruct.

``python docs/fetch_open_scan.py FOLDER``. The scan is one of the repeats of the QSM harmonization
acquisition (one person, MAGNETOM Prisma Fit, multi-echo gradient echo) in the public OSF project
https://osf.io/gkemr, whose page says under what terms it may be used. Needs pooch, which comes with
napari.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pooch

#: Address, file name and SHA-256 of the archive (102.6 MB), as QSMxT's list of examples gives them.
URL = "https://osf.io/download/6a8c4b1138a9a828b5ff21a9/"
NAME = "prisma-bridge-run1.zip"
SHA256 = "0105106f7d232434e49c07252920350338daa760dff4996e74788efa078ee2d5"


def main(folder: Path, url: str = URL, sha256: str = SHA256) -> list[Path]:
    """Fetch, check and unpack the archive; returns the phase and the magnitude.

    Raises
    ------
    ValueError
        From pooch, if the archive is not the one whose checksum is written here.
    """
    files = pooch.retrieve(
        url, f"sha256:{sha256}", NAME, folder, processor=pooch.Unzip(extract_dir="scan")
    )
    found = {Path(name).name: Path(name) for name in files}
    said = json.loads(found["params.json"].read_text(encoding="utf-8"))
    sidecar = {"EchoTime": said["TE"], "MagneticFieldStrength": said["B0"]}
    images = [found["phase.nii.gz"], found["magnitude.nii.gz"]]
    for image, more in zip(images, ({"Units": "rad"}, {}), strict=True):
        beside = image.with_name(image.name.replace(".nii.gz", ".json"))
        beside.write_text(json.dumps(sidecar | more, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"napari-qsm reconstruct {images[0].parent} --recipe consensus --out {folder / 'map'}\n"
    )
    return images


if __name__ == "__main__":
    main(Path(sys.argv[1]))
