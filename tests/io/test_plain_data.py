"""JSON and YAML from anybody."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_qsm.errors import QsmError
from napari_qsm.figures.spec import read_spec
from napari_qsm.inspect import inspect_paths
from napari_qsm.io.label_table import read_label_table
from napari_qsm.io.plain_data import PlainDataError, parse_json, parse_yaml
from napari_qsm.io.sidecar import read_json
from napari_qsm.qc.files import read_stored
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.rois.guided import load_guided
from napari_qsm.rois.presets import read_preset
from napari_qsm.rois.shape_files import read_shapes

#: A corpus of texts that are made, or damaged, to be no plain data; each new one a line.
BAD = {
    "deep list": "[" * 100_000 + "]" * 100_000,
    "deep object": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "deep but closed": "[" * 500 + "]" * 500,
    "long number": '{"EchoTime": ' + "9" * 400 + "}",
    "very long number": '{"EchoTime": ' + "9" * 5000 + "}",
    "huge number": '{"EchoTime": 1e999}',
    "cut": '{"EchoTime": 0.0',
    "nothing": "",
    "zeros": "\0" * 50,
    "a list": "[1, 2]",
    "a word": "word",
    "laughs": "\n".join(
        ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 30))]
    ),
    "itself": "a: &a [*a]",
    "a date": "when: 2001-99-99",
    "a tag": "a: !!python/object/apply:os.system [ls]",
    "a set": "? a\n? b",
    "control": '{"a\\u0000\\u001b": "\\u001b[31m"}',
}
JSON_READERS = [read_json, read_spec, read_shapes, read_label_table]
YAML_READERS = [load_recipe, read_preset, load_guided]

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def sentence_of(reader, path):
    """What a reader says of a file, if it refuses it; any other error fails the test."""
    try:
        reader(path)
    except QsmError as error:
        said = str(error)
        assert len(said) < 700 and "Traceback" not in said
        return said
    return ""


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("reader", JSON_READERS, ids=lambda f: f.__name__)
def test_bad_json_costs_a_sentence(tmp_path, reader, name):
    path = tmp_path / "bad.json"
    path.write_text(BAD[name])
    assert sentence_of(reader, path) or (reader is read_json and name == "control")


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("reader", YAML_READERS, ids=lambda f: f.__name__)
def test_bad_yaml_costs_a_sentence(tmp_path, reader, name):
    path = tmp_path / "bad.yaml"
    path.write_text(BAD[name])
    assert sentence_of(reader, path)


@pytest.mark.parametrize("name", BAD)
def test_a_provenance_of_that_kind_costs_a_sentence(tmp_path, name):
    (tmp_path / "provenance.json").write_text(BAD[name])
    assert sentence_of(read_stored, tmp_path)


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("ending", [".json", ".txt", ".label", ".tsv", ".csv", ".ctbl"])
def test_check_reports_and_goes_on(tmp_path, name, ending):
    path = tmp_path / f"labels{ending}"
    path.write_text(BAD[name])
    assert inspect_paths([path]).text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BAD["deep list"], "nested"),
        (BAD["long number"], "400 digits"),
        (BAD["very long number"], "5000 digits"),
        (BAD["huge number"], "too large"),
        (BAD["cut"], "line 1"),
    ],
)
def test_the_reason_is_said(text, words):
    with pytest.raises(PlainDataError, match=words):
        parse_json(text)


def test_what_refers_to_itself_is_not_read():
    with pytest.raises(PlainDataError, match="refers to itself"):
        parse_yaml(BAD["laughs"])


@given(plain)
def test_plain_data_comes_back(value):
    assert parse_json(json.dumps(value)) == value


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    for parse in (parse_json, parse_yaml):
        try:
            parse(text)
        except PlainDataError as error:
            assert str(error)
