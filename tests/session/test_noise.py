"""The noise map in a session: found for its own map only, and read by the table."""

import numpy as np
import pytest

from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.io.sidecar import write_sidecar
from napari_qsm.recon.uncertainty import Uncertainty
from napari_qsm.rois.region import Region
from napari_qsm.session import Session
from napari_qsm.session.noise import NAME, NoiseMaps, put
from napari_qsm.session.opening import load
from napari_qsm.session.table.choice import Choice
from napari_qsm.session.table.content import content_of
from napari_qsm.session.table.in_context import InContext
from napari_qsm.session.table.notes import frame_of_map
from napari_qsm.session.table.numbers import Numbers
from napari_qsm.volume import Volume

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
SHAPE = (12, 10, 6)
RECORD = {
    "repeats": 4,
    "field_noise_ppm": 0.001,
    "volumes_mm3": [2.0, 200.0],
    "parts": [1.0, 0.2],
}
STAGES = [{"stage": "inversion", "method": "tkd", "seconds": 1.25}]


def chi():
    values = np.random.default_rng(1).normal(0, 0.05, SHAPE).astype(np.float32)
    return Volume(values, AFFINE, unit="ppm", name="chi")


@pytest.fixture
def session():
    own = Session()
    entry = own.add(chi(), role="map", name="χ")
    entry.provenance = {"result": "reference", "stages": STAGES}
    labels = np.zeros(SHAPE, np.uint16)
    labels[2:7, 2:7, 1:5] = 3  # 100 voxels, 200 mm³
    regions = {
        3: Region(3, "Red nucleus", "left", "#ff0000"),
        4: Region(4, "Nothing drawn", "", "#00ff00"),
    }
    own.add(Volume(labels, AFFINE, name="labels"), role="labels", regions=regions)
    return own


def found():
    return Uncertainty(np.full(SHAPE, 0.006, np.float32), RECORD)


def cells(session, entry):
    numbers, choice = Numbers(session), Choice(columns=("se",), total=True)
    maps = [numbers.shown(entry)]
    rows = numbers.rows(maps, ranks=False, shapes=True, noise=True)
    content = content_of(numbers, maps, rows, choice, {entry.id: 3})
    return [line.cells[-1] for line in content.lines], frame_of_map(
        numbers, maps[0], choice, InContext(), maps
    )


def test_the_table_tells_how_far_noise_moves_a_mean(session):
    entry = next(iter(session.case.maps))
    assert cells(session, entry)[0] == ["–", "–", "–"]  # nobody has asked for it yet
    noise = put(session, session.case, entry.volume, found())
    assert (noise.name, noise.role, noise.display.visible) == (NAME, "other", False)
    shown, frame = cells(session, entry)
    assert shown == ["0.0012", "–", "0.0012"]
    assert frame["se_ppm"][0] == pytest.approx(0.006 * 0.2)
    assert np.isnan(frame["se_ppm"][1])
    labels = session.case.of_role("labels")[0]
    labels.labels[:] = 0
    labels.labels[5, 5, 3] = 3
    assert cells(session, entry)[0][0] == "0.0060"


def test_a_map_of_another_run_has_no_standard_errors(session):
    entry = next(iter(session.case.maps))
    put(session, session.case, entry.volume, found())
    assert NoiseMaps().of(session, entry) is not None
    entry.provenance = {**entry.provenance, "stages": [{**STAGES[0], "seconds": 1.5}]}
    assert NoiseMaps().of(session, entry) is None
    again = put(session, session.case, entry.volume, found())
    assert NoiseMaps().of(session, entry)[0] is again
    assert sum(each.name == NAME for each in session.case.maps) == 1


@pytest.mark.parametrize(
    "names", [("chi", "chi_noise"), ("sub-1_Chimap", "sub-1_desc-noise_Chimap")]
)
def test_files_of_one_result_belong_together(tmp_path, names):
    for name, volume in zip(names, (chi(), chi().with_data(found().noise_ppm)), strict=True):
        write_volume(volume, tmp_path / f"{name}.nii.gz")
        write_sidecar(tmp_path / f"{name}.nii.gz", {"Units": "ppm"})
    own = Session()
    load([tmp_path / f"{name}.nii.gz" for name in names]).into(own)
    chi_entry, noise_entry = sorted(own.case.maps, key=lambda e: "noise" in e.name)
    assert (chi_entry.role, noise_entry.role) == ("map", "other")
    assert not noise_entry.display.visible
    assert NoiseMaps().of(own, chi_entry) is None  # its sidecar says nothing of means
    write_sidecar(tmp_path / f"{names[1]}.nii.gz", {"Units": "ppm", "NoiseOfMeans": RECORD})
    noise_entry.volume = read_volume(tmp_path / f"{names[1]}.nii.gz")
    entry, known = NoiseMaps().of(own, chi_entry)
    assert entry is noise_entry and known.parts == (1.0, 0.2)
