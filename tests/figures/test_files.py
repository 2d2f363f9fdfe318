"""Figures as files: the same bytes, nothing private, all or nothing."""

import json
import re
import zlib

import numpy as np
import pytest
from PIL import Image

from napari_qsm.errors import FileError, QsmError
from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.draw import Cache, render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.figures.parts import Display, Regions, RegionsCrop, Source
from napari_qsm.figures.spec import FigureSpec, parse_spec, read_spec, spec_text, write_spec
from napari_qsm.io.nifti import write_volume
from tests.figures.makers import REGIONS, chi, given, labels, two_panels, volume


@pytest.mark.parametrize("ending", [".png", ".tiff", ".pdf", ".svg"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, ending):
    for name in ("one", "two"):
        render(two_panels(), given()).save(tmp_path / f"{name}{ending}")
    assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()


def test_saving_as_pdf_first_changes_nothing(tmp_path):
    drawn = render(two_panels(), given())
    drawn.save(tmp_path / "a.png")
    drawn.save(tmp_path / "b.pdf")
    drawn.save(tmp_path / "b.svg")
    drawn.save(tmp_path / "c.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "c.png").read_bytes()


def test_size_and_dots_of_png_and_tiff(tmp_path):
    drawn = render(two_panels(dpi=300), given())
    for name in ("f.png", "f.tif"):
        drawn.save(tmp_path / name, companions=False)
        with Image.open(tmp_path / name) as picture:
            assert picture.width == int(114 / 25.4 * 300)
            assert picture.height == pytest.approx(drawn.height_mm / 25.4 * 300, abs=1)
            assert [float(d) for d in picture.info["dpi"]] == pytest.approx([300, 300], abs=0.01)
            assert picture.mode == "RGB"
    with Image.open(tmp_path / "f.tif") as picture:
        assert picture.tag_v2[259] == 5  # LZW
        assert picture.tag_v2[296] == 2  # dots per inch
        tiff = np.asarray(picture)
    with Image.open(tmp_path / "f.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), tiff)


def test_text_stays_text_in_svg_and_pdf(tmp_path):
    drawn = render(two_panels(), given())
    drawn.save(tmp_path / "f.svg")
    drawn.save(tmp_path / "f.pdf")
    svg = (tmp_path / "f.svg").read_text(encoding="utf-8")
    for words in ("Left putamen", "χ (ppm)", "S 0.0 mm", "Mean ± SD (ppm)"):
        assert re.search(rf"<text[^>]*>{re.escape(words)}<", svg), words
    pdf = (tmp_path / "f.pdf").read_bytes()
    assert b"/FontFile2" in pdf  # TrueType, embedded
    assert b"/Type3" not in pdf


def test_nothing_private_goes_into_the_pictures(tmp_path):
    """Neither names of files and folders nor dates."""
    folder = tmp_path / "Doe^Jane-1960"
    folder.mkdir()
    write_volume(volume(chi(), unit="ppm"), folder / "chi.nii.gz")
    write_volume(volume(labels()), folder / "labels.nii.gz")
    spec = two_panels()
    spec.sources = {
        "control": Source(path="Doe^Jane-1960/chi.nii.gz", name="Control"),
        "control-regions": Source(path="Doe^Jane-1960/labels.nii.gz", role="labels"),
    }
    drawn = render(spec, base=tmp_path)
    for ending in (".png", ".tif", ".pdf", ".svg"):
        drawn.save(tmp_path / f"f{ending}")
        content = (tmp_path / f"f{ending}").read_bytes()
        for stream in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
            try:
                content += zlib.decompress(stream)
            except zlib.error:
                continue
        for private in (b"Doe", b"1960", str(tmp_path).encode(), b"CreationDate", b"dc:date"):
            assert private not in content, (ending, private)
    assert "Doe" not in (tmp_path / "f.txt").read_text() + (tmp_path / "f.csv").read_text()


def test_a_saved_figure_can_be_drawn_again_from_its_file(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "out").mkdir()
    write_volume(volume(chi(), unit="ppm"), tmp_path / "maps/chi.nii.gz")
    write_volume(volume(labels()), tmp_path / "maps/labels.nii.gz")
    spec = two_panels()
    spec.sources = {
        "control": Source(path="maps/chi.nii.gz", name="Control"),
        "control-regions": Source(path="maps/labels.nii.gz", role="labels"),
    }
    written = render(spec, base=tmp_path).save(tmp_path / "out/f.png")
    assert sorted(p.name for p in written) == ["f.csv", "f.json", "f.png", "f.txt"]
    again = read_spec(tmp_path / "out/f.json")
    assert again.sources["control"].path == "../maps/chi.nii.gz"
    render(again, base=tmp_path / "out").save(tmp_path / "out/g.png")
    assert (tmp_path / "out/f.png").read_bytes() == (tmp_path / "out/g.png").read_bytes()
    write_spec(again, tmp_path / "h.json", base=tmp_path / "out")
    assert read_spec(tmp_path / "h.json").sources["control"].path == "maps/chi.nii.gz"


def test_json_holds_everything():
    spec = two_panels()
    mark = Annotation(kind="line", plane="axial", at_mm=(1, 2, 0), to_mm=(4, 6, 0), id="a")
    spec.panels = (
        ImagePanel(
            map="control",
            slice_mm=0,
            crop=RegionsCrop(labels="control-regions"),
            annotations=(mark,),
            unlocked_window=(0, 0.1),
        ),
        *spec.panels,
    )
    text = spec_text(spec, folder=__import__("pathlib").Path())
    assert parse_spec(text) == spec
    assert mark.length_mm == 5.0
    assert mark.moved((1, 0, 0)).to_mm == (5, 6, 0)


def test_files_that_only_share_the_name_are_not_replaced(tmp_path):
    (tmp_path / "chi.json").write_text('{"Units": "ppm"}')
    (tmp_path / "labels.txt").write_text("labels")
    for name in ("chi.png", "labels.png"):
        with pytest.raises(FileError, match="choose another name"):
            render(two_panels(), given()).save(tmp_path / name)
        assert not (tmp_path / name).exists()
    assert (tmp_path / "labels.txt").read_text() == "labels"


def test_a_write_that_fails_leaves_no_file(tmp_path, monkeypatch):
    import os

    drawn = render(two_panels(), given())
    monkeypatch.setattr(os, "fsync", _disk_full)
    with pytest.raises(FileError, match="space"):
        drawn.save(tmp_path / "f.png")
    assert list(tmp_path.iterdir()) == []


def _disk_full(_):
    raise OSError(28, "No space left on device")


BAD_SPECS = [
    ("{", "not valid JSON"),
    ("[1]", "does not describe a figure"),
    ('{"version": 99}', "newer napari-qsm.*format 99"),
    ('{"colums": 2}', "'colums' is not known. Did you mean 'columns'"),
    (
        '{"panels": [{"kind": "image", "map": "a", "plnae": "axial", "slice_mm": 1}]}',
        "panels.0..pl",
    ),
    ('{"panels": [{"kind": "image", "map": "a"}]}', "give one of 'slice_mm'"),
    ('{"panels": [{"map": "a"}]}', "'kind'"),
    ('{"panels": [{"kind": "pie"}]}', "unknown 'kind'"),
    ('{"displays": {"grey": {"window": [2, 1]}}}', "must go up"),
    ('{"style": {"dpi": 5}}', "'style.dpi' is too small"),
    ('{"style": {"width_mm": "wide"}}', "style.width_mm"),
]


@pytest.mark.parametrize(("text", "says"), BAD_SPECS)
def test_a_bad_spec_is_one_sentence(text, says):
    with pytest.raises(FileError, match=says) as caught:
        parse_spec(text)
    assert "\n" not in str(caught.value) and "pydantic" not in str(caught.value)


def _figure(**panel):
    spec = two_panels()
    spec.panels = (ImagePanel(**{"map": "control", "slice_mm": 0, **panel}),)
    spec.colour_bars = ()
    return spec


BAD_FIGURES = [
    (lambda: _figure(map="contrl"), {}, "no such source"),
    (lambda: _figure(slice_mm=300), {}, "S 300.0 mm lies outside the map.*I 18.0 mm to S 15.0"),
    (lambda: _figure(slice_mm=None, slice_index=13), {}, "slices 1 to 12.*no slice 13"),
    (lambda: _figure(slice_mm=None, through_mm=(0, 0, 99)), {}, "goes through"),
    (lambda: _figure(display="gray"), {}, "display 'gray'"),
    (
        lambda: _figure(regions=Regions(labels="control-regions")),
        {"control-regions": Given(volume(labels()[:-1], name="labels"), REGIONS)},
        "do not fit the map 'Control'",
    ),
    (
        lambda: _figure(regions=Regions(labels="control-regions", which=(9,))),
        {},
        r"region 9.*no voxel",
    ),
    (
        lambda: _figure(crop=RegionsCrop(labels="control-regions")),
        {"control-regions": Given(volume(0 * labels()), REGIONS)},
        "holds no region",
    ),
    (
        lambda: _figure(),
        {"control": Given(volume(np.nan * chi(), unit="ppm"))},
        "every voxel is NaN",
    ),
    (
        lambda: _figure(
            annotations=(Annotation(kind="text", plane="axial", at_mm=(0, 0, 9), text="x", id="t"),)
        ),
        {},
        "another slice",
    ),
    (lambda: FigureSpec(), {}, "no panel"),
]


@pytest.mark.parametrize(("spec", "more", "says"), BAD_FIGURES)
def test_what_cannot_be_drawn_is_one_sentence(spec, more, says):
    with pytest.raises(QsmError, match=says) as caught:
        render(spec(), given(**more), preview=True)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_map_of_nan(tmp_path):
    spec = _figure()
    spec.sources = {"control": Source(path="gone.nii.gz")}
    with pytest.raises(FileError, match=r"no file '.*gone.nii.gz'"):
        render(spec, base=tmp_path)
    with pytest.raises(FileError, match="no file"):
        read_spec(tmp_path / "gone.json")


def test_one_display_has_one_quantity():
    spec = two_panels()
    spec.panels = (spec.panels[0], ImagePanel(map="patient", slice_mm=0))
    radians = {"patient": Given(volume(chi(), unit="rad"))}
    with pytest.raises(QsmError, match="ppm and rad; give each its own display"):
        render(spec, given(**radians), preview=True)


def test_the_cache_never_shows_an_old_map():
    cache, spec = Cache(), _figure()
    spec.displays["grey"] = Display(window=(0, 0.1))
    first = render(spec, given(), preview=True, cache=cache).pixels()
    again = render(spec, given(), preview=True, cache=cache).pixels()
    np.testing.assert_array_equal(first, again)
    other = {"control": Given(volume(chi(0.09), unit="ppm"))}
    assert (render(spec, given(**other), preview=True, cache=cache).pixels() != first).any()
    # The same array, painted in place.
    data = np.array(chi())
    live = volume(data, unit="ppm")
    before = render(spec, {"control": Given(live)}, preview=True, cache=cache).pixels()
    data[:, :, 6] = 0.1
    after = render(spec, {"control": Given(live, revision=1)}, preview=True, cache=cache).pixels()
    assert (before != after).any()


def test_the_table_beside_the_figure_is_the_statistics(tmp_path):
    from napari_qsm.rois.statistics import region_statistics

    drawn = render(two_panels(), given())
    drawn.save(tmp_path / "f.png")
    expected = region_statistics(
        volume(chi(), unit="ppm"), volume(labels()), {n: REGIONS[n] for n in (1, 2)}
    )
    found = drawn.table
    assert list(found["subject"]) == ["Control", "Control"]
    inside = chi()[labels() == 1].astype(float)
    assert found["mean_ppm"][0] == pytest.approx(inside.mean())
    assert found["sd_ppm"][0] == pytest.approx(inside.std(ddof=1))
    assert found["voxels"].tolist() == expected["voxels"].tolist()[:2]
    assert json.loads((tmp_path / "f.json").read_text())["version"] == 1


def test_the_guides_example_is_a_figure():
    from pathlib import Path

    guide = Path(__file__).parents[2] / "docs/user-guide/figures.md"
    example = re.search(r"```json\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    spec = parse_spec(example[1])
    assert len(spec.panels) == 2 and len(spec.panels[1].annotations) == 2
