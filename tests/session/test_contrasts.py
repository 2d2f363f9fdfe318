"""Maps beside χ in a session: made of a finished map, measured, out of date, kept in its results."""

import json

import numpy as np
import pytest

from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.outputs import write_result
from napari_qsm.phantom import make_head
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.session import Session
from napari_qsm.session.contrasts import maker, put, said_of, take
from napari_qsm.session.stage_results import show_result
from napari_qsm.session.table.numbers import Numbers, measurable
from napari_qsm.study.entry import guess_role
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.scan_source import source_of_scan
from napari_qsm.study.stage_task import PreparedInputs
from napari_qsm.units import decimals

QUICK = [
    "mask.method=threshold",
    "unwrap.exact=false",
    "background.method=sharp",
    "background.radius_mm=12",
    "inversion.method=tkd",
]


@pytest.fixture(scope="module")
def head():
    return make_head(
        "patient", shape=(32, 36, 20), voxel_size_mm=(5.5, 5.5, 7.0), echo_times_s=(0.006, 0.014)
    )


@pytest.fixture
def recon(head):
    made = Reconstruction()
    made.use_recipe(with_settings(load_recipe("case-report"), QUICK))
    made.use_scan(source_of_scan(head.scan, "patient"))
    return made


def run_all(recon):
    def took(one):
        recon.take_prepared(one) if isinstance(one, PreparedInputs) else recon.take(one)

    recon.task(recon.stale_stages()).run(took)
    return recon.result_of("reference").grid


def make(recon, grid, *names):
    return maker(recon, grid, names)(lambda *told: None, lambda: False)


def test_maps_beside_chi_live_and_die_with_it(head, recon, tmp_path):
    with pytest.raises(QsmError, match="once every step has run"):
        maker(recon, head.mask, ["swi"])
    grid = run_all(recon)
    with pytest.raises(MetadataError, match="The program assumes none"):
        maker(recon, grid, ["chi-separation"])
    recon.contrast_settings["chi-separation"] = {"r2": 14.0}
    number = recon.number("reference")
    made = make(recon, grid, "chi-separation", "mip")
    assert take(recon, number, made) and recon.contrasts is made
    assert said_of(recon).startswith("Made: R2*, SWI, Projection of SWI (mIP), χ+ and χ−.")

    session = Session()
    case = session.case_called("patient")
    regions = {region.index: region for region in head.label_names}
    labels = session.add(head.labels, role="labels", name="regions", regions=regions, case=case)
    entries = {e.name: e for e in put(session, case, recon, grid, made)}
    assert {n: e.volume.unit for n, e in entries.items()} == {
        "R2*": "1/s", "SWI": "", "SWI projection": "", "χ+": "ppm", "χ−": "ppm",
    }  # fmt: skip
    assert not any(e.is_susceptibility for e in entries.values())
    show_result(session, entries["SWI projection"])
    assert [e.name for e in case.maps if e.display.visible and e is not labels] == [
        "SWI projection"
    ]

    # The table measures each of them, in its own unit.
    assert set(entries.values()) <= set(measurable(session))
    numbers = Numbers(session)
    inside = head.labels.data == 1
    for name, quantity in (("R2*", "r2star_per_s"), ("χ−", "chi_negative_ppm")):
        maps = [numbers.shown(entries[name])]
        row = next(r for r in numbers.rows(maps, ranks=False, shapes=False) if r.label == 1)
        mean = made.quantities[quantity][inside].mean(dtype=np.float64)
        assert row.measures[entries[name].id].mean == pytest.approx(mean, rel=1e-5)
    assert decimals("1/s") == 1 and decimals("ppm") == 3

    # Making one of them again replaces it in place, and the others stay.
    recon.contrast_settings["swi"] = {"power": 8}
    again = make(recon, grid, "swi")
    assert take(recon, number, again)
    (entry,) = put(session, case, recon, grid, again)
    assert entry is entries["SWI"] and len(case.maps) == 6
    assert entry.provenance["stages"][-1]["settings"]["power"] == 8

    # What is saved holds them, with their sentences.
    write_result(recon.result(), tmp_path / "out")
    told = json.loads((tmp_path / "out" / "provenance.json").read_text("utf-8"))
    methods = [stage["method"] for stage in told["stages"]]
    assert methods[-4:] == ["r2star", "mip", "chi-separation", "swi"]
    assert sum(s.startswith("chi-separation: the two maps rest") for s in told["warnings"]) == 1
    assert (tmp_path / "out" / "chi_positive.nii.gz").is_file()

    # Another χ has none of them yet.
    recon.set("inversion", threshold=0.3)
    assert recon.contrasts is None and said_of(recon).startswith("Out of date")
    run_all(recon)
    assert not take(recon, number, made)
    assert "swi" not in recon.result().images()


def test_an_r2_map_that_is_given_is_used_and_recorded(head, recon):
    grid = run_all(recon)
    r2 = head.mask.with_data(np.full(head.mask.shape, 12, np.float32), unit="1/s", name="R2")
    with pytest.raises(MetadataError, match="is in ms; R2 in 1/s is needed"):
        wrong = head.mask.with_data(r2.data, unit="ms", name="T2")
        recon.set_input("r2_per_s", wrong)
        maker(recon, grid, ["chi-separation"])
    recon.set_input("r2_per_s", r2)
    assert not recon.stale_stages()  # no stage depends on it
    made = make(recon, grid, "chi-separation")
    assert any("R2 is the map given" in sentence for sentence in made.warnings)
    take(recon, recon.number("reference"), made)
    roles = [given["role"] for given in recon.result().provenance["inputs"]]
    assert "r2_per_s" in roles


@pytest.mark.parametrize(
    ("name", "role"),
    [("chi_positive", "other"), ("sub-1_desc-negative_Chimap", "other"), ("sub-1_Chimap", "map")],
)
def test_parts_of_chi_from_files_are_not_taken_for_chi(head, name, role):
    assert guess_role(head.chi.with_data(head.chi.data, unit="ppm", name=name)) == role


def test_settings_of_other_maps_are_saved_with_the_session_and_checked_when_read(recon, tmp_path):
    from napari_qsm.session.folder import save_session
    from napari_qsm.session.store import read_session

    session = Session()
    case = session.case_called("patient")
    case.reconstruction = recon
    recon.contrast_settings = {"chi-separation": {"r2": 14.5}, "swi": {"power": 8}}
    save_session(session, tmp_path / "work")
    again = Session()
    read_session(tmp_path / "work").into(again)
    assert again.case.reconstruction.contrast_settings == recon.contrast_settings
    path = next((tmp_path / "work").rglob("session.json"))
    text = path.read_text("utf-8")
    for good, bad in (('"power": 8', '"power": 800'), ('"swi"', '"swj"'), ("14.5", '{"a": 1}')):
        assert good in text
        path.write_text(text.replace(good, bad), "utf-8")
        other = Session()
        told = read_session(tmp_path / "work").into(other)
        assert other.case.reconstruction is None or not other.case.reconstruction.contrast_settings
        assert told
