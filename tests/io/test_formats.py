"""The register of formats, and tables of other programs in every encoding they come in."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_qsm.errors import FileError
from napari_qsm.inspect import inspect_paths
from napari_qsm.io import formats
from napari_qsm.io.formats import ImageFormat, TableFormat
from napari_qsm.io.label_table import Region, read_label_table
from napari_qsm.io.maps import read_map
from napari_qsm.io.segmentation import read_labels, regions_beside
from napari_qsm.io.text import decoded, read_text
from napari_qsm.session.opening import load
from napari_qsm.volume import Volume

ROOT = Path(__file__).resolve().parents[2]
ITKSNAP = "################\n# ITK-SnAP Label Description File\n"
NAMES = {1: "Größe links", 2: 'the "bright" spot', 12: "Left-Putamen", 700: "ctx_lh_insula"}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"]


def itksnap(names):
    return ITKSNAP + "".join(f'{i} 9 8 7 1 1 1 "{name}"\n' for i, name in names.items())


def freesurfer(names):
    rows = "".join(f"{i:<4} {name:<30} 9   8   7   0\n" for i, name in names.items())
    return "#No. Label Name:                R   G   B   A\n\n0 Unknown 0 0 0 0\n" + rows


def ctbl(names):
    rows = "".join(f"{i} {name.replace(' ', '_')} 9 8 7 255\n" for i, name in names.items())
    return "# Color table file\n0 Background 0 0 0 0\n" + rows


def fsleyes(names):
    return "".join(
        f"{i} {9 / 255:.5f} {8 / 255:.5f} {7 / 255:.5f} {name}\n" for i, name in names.items()
    )


def delimited(names, delimiter, header):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    for i, name in names.items():
        cells = {"name": name, "color": "#090807", "r": 9, "g": 8, "b": 7, "a": 255}
        writer.writerow([cells.get(key.lower().removeprefix("color_"), i) for key in header])
    return out.getvalue()


def niivue(names):
    table = {"I": list(names), "labels": list(names.values())}
    table |= {key: [value] * len(names) for key, value in zip("RGB", (9, 8, 7), strict=True)}
    return json.dumps(table, ensure_ascii=False)


SLICER_CSV = ["LabelValue", "Name", "Color_R", "Color_G", "Color_B", "Color_A"]
PROGRAMS = {
    "itksnap.txt": itksnap,
    "itksnap.label": itksnap,
    "FreeSurferColorLUT.txt": lambda names: freesurfer(
        {i: n.replace(" ", "-") for i, n in names.items()}
    ),
    "freesurfer.lut": lambda names: freesurfer({i: n.replace(" ", "-") for i, n in names.items()}),
    "slicer.ctbl": ctbl,
    "slicer.csv": lambda names: delimited(names, ",", SLICER_CSV),
    "excel.csv": lambda names: "sep=;\r\n" + delimited(names, ";", ["Index", "Name", "Color"]),
    "fsleyes.lut": fsleyes,
    "x_dseg.tsv": lambda names: delimited(names, "\t", ["index", "name", "color"]),
    "tabs.txt": lambda names: delimited(names, "\t", ["name", "index", "color"]),
    "niivue.json": niivue,
}


def expected(file, names):
    """What each program's layout can hold of a name."""
    if "reeSurfer" in file or "freesurfer" in file:
        return {i: name.replace(" ", "-") for i, name in names.items()}
    if file.endswith(".ctbl"):
        return {i: name.replace("_", " ") for i, name in names.items()}
    return names


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("file", PROGRAMS)
def test_tables_of_other_programs_in_any_encoding(tmp_path, file, encoding):
    (tmp_path / file).write_bytes(PROGRAMS[file](NAMES).encode(encoding))
    table = read_label_table(tmp_path / file)
    assert {region.index: region.name for region in table} == expected(file, NAMES)
    assert {region.color for region in table} == {"#090807"}


NAME = st.text(
    st.characters(codec="cp1252", exclude_categories=("C", "Z"), exclude_characters='_"\\#'),
    min_size=1,
    max_size=20,
).filter(lambda name: any(c.isalpha() for c in name) and name.lower() not in ("n/a",))
TABLE = st.dictionaries(st.integers(1, 65535), NAME, min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(list(PROGRAMS)), TABLE, st.sampled_from(["utf-8", "utf-16", "cp1252"]))
def test_any_name_is_read(tmp_path_factory, file, names, encoding):
    path = tmp_path_factory.mktemp("t") / file
    path.write_bytes(PROGRAMS[file](names).encode(encoding))
    text = decoded(path.read_bytes())
    if text != PROGRAMS[file](names):
        return  # bytes of cp1252 that happen to be UTF-8 as well: nothing can tell
    assert {r.index: r.name for r in read_label_table(path)} == expected(file, names)


@given(st.text(st.characters(exclude_categories=("C",)), min_size=1))
def test_marked_and_utf8_texts_come_back(text):
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert decoded(text.encode(encoding)).removeprefix("\ufeff") == text.removeprefix("\ufeff")


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_refused(content):
    text = decoded(content)
    assert text is None or "\0" not in text


# One line a file that people have: name, content, what is said of it.
BAD = [
    ("empty.txt", b"", "no labels"),
    ("notes.txt", b"Drawn by AB on Monday; right GP redone.\n", "line 1"),
    ("notes.tsv", b"patient\tscore\n1\t2\n", "index and name"),
    ("stats.csv", b"a;b\n1;2\n", "index and name"),
    ("picture.txt", bytes(range(256)) * 4, "not a text file"),
    ("gz.lut", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "not a text file"),
    ("twice.txt", itksnap({1: "A"}).encode() + b'1 9 8 7 1 1 1 "B"\n', "two rows for label 1"),
    ("large.ctbl", b"70000 A 1 2 3 255\n", "outside"),
    ("minus.tsv", b"index\tname\n-3\tA\n", "outside"),
    ("half.tsv", b"index\tname\n1.5\tA\n", "line 2"),
    ("short.tsv", b"index\tname\n1\tA\n2\n\nx\tB\n", "line 5"),
    ("bright.lut", b"1 2.0 0 0 A\n", "line 1"),
    ("cut.txt", ITKSNAP.encode() + b'1 9 8 7 1 1 1 "A', "line 3"),
    ("cut.json", b'{"labels": ["a"', "is not valid JSON"),
    ("deep.json", b"[" * 100000, "label table"),
    ("list.json", b"[1, 2]", "label table"),
    ("lengths.json", b'{"labels": ["a"], "R": [1], "G": [], "B": [2]}', "one length"),
]


@pytest.mark.parametrize(("name", "content", "said"), BAD, ids=[name for name, _, _ in BAD])
def test_bad_files_are_refused_with_their_name_and_place(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=said) as caught:
        read_label_table(tmp_path / name)
    assert name in str(caught.value)


# A .json file beside an image is its sidecar.
BESIDE = [case for case in BAD if not case[0].endswith(".json")]


@pytest.mark.parametrize(("name", "content", "said"), BESIDE, ids=[name for name, _, _ in BESIDE])
def test_beside_an_image_they_are_passed_over_with_a_note(tmp_path, name, content, said):
    nib.save(
        nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)),
        tmp_path / f"{Path(name).stem}.nii.gz",
    )
    (tmp_path / name).write_bytes(content)
    notes = []
    assert regions_beside(tmp_path / f"{Path(name).stem}.nii.gz", warn=notes.append) == ()
    assert len(notes) == 1
    assert name in notes[0]
    assert "passed over" in notes[0]
    _, regions = read_labels(tmp_path / f"{Path(name).stem}.nii.gz")
    assert regions == ()


def test_a_table_behind_a_note_is_found(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), tmp_path / "a.nii")
    (tmp_path / "a.txt").write_text("only words\n")
    (tmp_path / "a.tsv").write_text("index\tname\n1\tPutamen L\n")
    (region,) = regions_beside(tmp_path / "a.nii")
    assert region.name == "Putamen L"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_sidecars_in_any_encoding(tmp_path, encoding):
    nib.save(nib.Nifti1Image(np.full((3, 3, 3), 40.0, np.float32), np.eye(4)), tmp_path / "m.nii")
    said = json.dumps({"Units": "PPB", "InstitutionName": "Universität"}, ensure_ascii=False)
    (tmp_path / "m.json").write_bytes(said.encode(encoding))
    assert read_map(tmp_path / "m.nii").unit == "ppb"


def test_a_missing_and_a_huge_text(tmp_path):
    with pytest.raises(FileError, match="no file"):
        read_text(tmp_path / "none.txt")
    with (tmp_path / "huge.txt").open("wb") as handle:
        handle.truncate(200 * 1024 * 1024)
    with pytest.raises(FileError, match="too large"):
        read_text(tmp_path / "huge.txt")


class TestTheRegister:
    @pytest.fixture
    def formats_kept(self, monkeypatch):
        formats.image_formats()
        monkeypatch.setattr(formats, "_FORMATS", dict(formats._FORMATS))

    def test_a_new_image_format_is_one_call(self, formats_kept, tmp_path):
        data = np.random.default_rng(0).normal(0, 0.05, (4, 5, 6))

        def read(path):
            return Volume(np.load(path), np.diag([2.0, 2, 2, 1]), name="a", origin=path, unit="ppm")

        formats.register(ImageFormat("test", (".npy",), read))
        np.save(tmp_path / "a.npy", data)
        np.testing.assert_array_equal(read_map(tmp_path / "a.npy").data, data)
        assert "*.npy" in formats.dialog_filter("Maps")
        assert formats.stem("a.npy") == "a"
        loaded = load([tmp_path / "a.npy"])
        assert [opened.volume.name for opened in loaded.maps] == ["a"]
        assert load([tmp_path]).maps
        assert inspect_paths([tmp_path / "a.npy"]).items[0].readable

    def test_a_new_table_format_is_one_call(self, formats_kept, tmp_path):
        nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), tmp_path / "a.nii")
        (tmp_path / "a.own").write_text("OWN 1=Putamen L")
        own = TableFormat(
            "own",
            (".own",),
            lambda text: text.startswith("OWN"),
            lambda text, who: [replace(KNOWN, index=int(text[4]), name=text[6:])],
            lambda regions: "OWN",
            saved_as="own names",
        )
        formats.register(own)
        _, (region,) = read_labels(tmp_path / "a.nii")
        assert (region.index, region.name) == (1, "Putamen L")
        assert any(ending == ".own" for _, _, ending in formats.label_choices())
        assert inspect_paths([tmp_path / "a.own"]).items[0].kind == "label table"

    def test_the_manifest_claims_what_can_be_read(self):
        manifest = yaml.safe_load((ROOT / "napari_qsm" / "napari.yaml").read_text())
        (reader,) = manifest["contributions"]["readers"]
        assert reader["filename_patterns"] == [f"*{end}" for end in formats.image_endings()]
        writable = [end for f in formats.image_formats() if f.write for end in f.endings]
        for writer in manifest["contributions"]["writers"]:
            assert writer["filename_extensions"] == writable

    @pytest.mark.parametrize(
        ("name", "bare"),
        [
            ("a.nii.gz", "a"),
            ("A.NII", "A"),
            ("a.b.seg.nrrd", "a.b"),
            ("a.nrrd", "a"),
            ("a.txt", "a.txt"),
            ("p.hdr", "p"),
        ],
    )
    def test_stems(self, name, bare):
        assert formats.stem(name) == bare


KNOWN = Region(1, "x", "", "#010203")
