"""What plain napari does with files: open, show, save on the file's own grid."""

import nibabel as nib
import numpy as np
import pytest
from napari.components import Dims, ViewerModel
from napari.layers import Image, Labels, Layer

from napari_qsm.anatomy import Letters
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.io.segmentation import read_labels
from napari_qsm.viewer.contributions import (
    get_reader,
    read,
    sample,
    write_all,
    write_one,
    write_regions,
)
from napari_qsm.viewer.plain import letters
from napari_qsm.viewer.plain.layers import (
    as_plain_napari_has_it,
    as_workspace_has_it,
    layer_data,
)
from napari_qsm.volume import Volume
from tests.viewer.conftest import ORDERS, SHAPE, affine_of, code_of, ramp, stored_in


def save(path, volume):
    write_volume(volume, path)
    return path


def test_reader_takes_nifti_only():
    assert get_reader("a.nii.gz") is read and get_reader(["a.nii", "b.NII.GZ"]) is read
    assert get_reader("a.png") is None and get_reader(["a.nii", "b.png"]) is None
    assert get_reader([]) is None


@pytest.mark.parametrize("degrees", [(0, 0, 0), (9, -6, 14)])
@pytest.mark.parametrize("order", ORDERS[::5], ids=code_of)
def test_open_upright_and_save_back_to_the_bit(tmp_path, order, degrees):
    original = stored_in(ramp(degrees=degrees), order)
    source = save(tmp_path / "x_Chimap.nii.gz", original)
    ((data, options, kind),) = read(str(source))
    assert kind == "image" and "affine" not in options
    # napari draws rows downwards: upright means head, forehead and the patient's right first.
    np.testing.assert_array_equal(data, ramp().data.transpose(2, 1, 0)[::-1, ::-1, ::-1])
    np.testing.assert_allclose(options["scale"], (3.0, 1.5, 2.0), rtol=1e-6)
    assert options["units"] == ("mm",) * 3 and options["axis_labels"] == ("z", "y", "x")
    layer = Layer.create(data, options, kind)
    layer_options = layer.as_layer_data_tuple()[1]
    target = tmp_path / "back.nii.gz"
    written = write_one(str(target), layer.data, layer_options)
    assert written == [str(target), str(tmp_path / "back.json")]
    before, after = nib.load(source), nib.load(target)
    np.testing.assert_array_equal(after.affine, before.affine)
    np.testing.assert_array_equal(after.dataobj, before.dataobj)
    assert after.header["sform_code"] == before.header["sform_code"]


def test_world_places_of_an_upright_file_are_napari_places(tmp_path):
    source = save(tmp_path / "x.nii", ramp())
    ((data, options, kind),) = read(str(source))
    layer = Layer.create(data, options, kind)
    world = ramp().voxel_to_world([3, 4, 5])
    nx, ny, nz = SHAPE
    here = layer.data_to_world((nz - 1 - 5, ny - 1 - 4, nx - 1 - 3))
    np.testing.assert_allclose(here, -world[::-1], atol=1e-5)


def test_labels_by_name_and_by_table(tmp_path):
    values = np.zeros(SHAPE, np.int16)
    values[2:5] = 3
    volume = Volume(values, affine_of(), name="regions")
    ((_, _, kind),) = read(str(save(tmp_path / "sub_dseg.nii.gz", volume)))
    assert kind == "labels"
    plain = save(tmp_path / "drawing.nii.gz", volume)
    assert read(str(plain))[0][2] == "image"
    (tmp_path / "drawing.tsv").write_text("index\tname\n3\tPutamen L\n", encoding="utf-8")
    data, options, kind = read(str(plain))[0]
    assert kind == "labels"
    assert options["metadata"]["qsm_regions"][3].name == "Putamen L"
    data[0, 0, 0] = 1  # it can be painted on
    assert Labels(data, **options).ndim == 3


def test_painted_labels_are_saved_not_those_of_the_file(tmp_path):
    order = ORDERS[17]
    labels = stored_in(ramp().with_data(np.zeros(SHAPE, np.uint8), unit="", name="labels"), order)
    source = save(tmp_path / "labels.nii.gz", labels)
    layer = Layer.create(*read(str(source))[0])
    nx, ny, nz = SHAPE
    layer.data_setitem((np.array([nz - 1 - 5]), np.array([ny - 1 - 4]), np.array([nx - 1 - 3])), 9)
    write_regions(str(tmp_path / "new.nii.gz"), layer.data, layer.as_layer_data_tuple()[1])
    saved = read_volume(tmp_path / "new.nii.gz")
    at = np.argwhere(saved.data == 9)
    assert len(at) == 1
    np.testing.assert_allclose(
        saved.voxel_to_world(at[0]), ramp().voxel_to_world([3, 4, 5]), atol=1e-4
    )


def test_echoes_become_layers(tmp_path):
    echoes = np.stack([np.full(SHAPE, e, np.float32) for e in (1, 2, 3)], axis=-1)
    source = save(tmp_path / "mag.nii.gz", Volume(echoes, affine_of()))
    layers = read(str(source))
    assert [options["name"] for _, options, _ in layers] == ["mag 1", "mag 2", "mag 3"]
    assert [data.max() for data, _, _ in layers] == [1, 2, 3]


def test_a_layer_of_another_shape_is_not_forced_onto_the_grid(tmp_path):
    ((data, options, _),) = read(str(save(tmp_path / "x.nii", ramp())))
    with pytest.raises(FileError, match="cannot be written onto that grid"):
        write_one(str(tmp_path / "y.nii"), data[1:], options)
    assert not (tmp_path / "y.nii").exists()


def test_a_layer_made_in_napari_is_saved_where_it_lies(tmp_path):
    layer = Image(np.random.default_rng(0).random((4, 5, 6)), scale=(3, 2, 1), translate=(9, 8, 7))
    (path,) = write_one(str(tmp_path / "new"), layer.data, layer.as_layer_data_tuple()[1])
    assert path.endswith("new.nii.gz")
    image = nib.load(path)
    np.testing.assert_allclose(
        image.affine, [[1, 0, 0, 7], [0, 2, 0, 8], [0, 0, 3, 9], [0, 0, 0, 1]]
    )


def test_several_files_in_one_model_share_the_frame(tmp_path):
    coarse = affine_of(shape=(12, 15, 9), size=(4.0, 3.0, 6.0))
    paths = [
        save(tmp_path / "a.nii", ramp()),
        save(tmp_path / "b.nii", Volume(np.zeros((12, 15, 9), np.float32), coarse)),
    ]
    model = ViewerModel()
    for layer in read([str(p) for p in paths]):
        model.add_layer(Layer.create(*layer))
    # The middles of both grids lie at one place in the head.
    middles = [np.mean(layer.extent.world, axis=0) for layer in model.layers]
    np.testing.assert_allclose(middles[0], middles[1], atol=1e-4)


def test_layer_data_takes_any_volume():
    ((data, options, kind),) = layer_data(stored_in(ramp(), ORDERS[30]))
    assert kind == "image" and options["contrast_limits"] == (-0.1, 0.2)
    assert options["blending"] == "translucent_no_depth"  # else the lowest layer hides the others
    assert np.shares_memory(data, options["metadata"]["qsm_volume"].data)
    regions = Volume(np.ones((3, 4, 5), np.uint8), np.eye(4))
    ((_, options, kind),) = layer_data(regions, "labels")
    assert kind == "labels" and options["blending"] == "translucent_no_depth"


def test_shared_orientations_all_open_the_same(shared_data):
    files = sorted((shared_data / "orientations").glob("*.nii.gz"))
    assert len(files) == 48
    first = None
    for path in files:
        ((data, options, _),) = read(str(path))
        key = (data.tobytes(), tuple(np.round(options["scale"], 4)))
        first = first or key
        assert key == first, path.name


def brightest(layer, slices, order):
    """Return row and column of the brightest pixel of what napari draws, as it draws it."""
    layer._slice_dims(Dims(ndim=3, ndisplay=2, order=order, point=slices))
    picture = np.asarray(layer._slice.image.view)
    return np.unravel_index(picture.argmax(), picture.shape), picture.shape


@pytest.mark.parametrize("order", ORDERS[::7], ids=code_of)
def test_each_letter_stands_at_its_side_of_the_picture(tmp_path, order):
    """A bright point near the patient's right, front and top is drawn towards R, A and S."""
    values = np.zeros(SHAPE, np.float32)
    values[-2, -2, -2] = 1.0  # right, front, top
    source = save(tmp_path / "x_Chimap.nii.gz", stored_in(ramp().with_data(values), order))
    layer = Layer.create(*read(str(source))[0])
    point = layer.data_to_world((1, 1, 1))
    model = ViewerModel()
    model.add_layer(layer)
    letters.show_letters(model)
    texts = model.canvas.overlays
    for axes in ((0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0)):
        model.dims.order = axes
        (row, column), (rows, columns) = brightest(layer, tuple(point), axes)
        near = {
            "top" if row < rows / 2 else "bottom",
            "left" if column < columns / 2 else "right",
        }
        found = {texts[f"qsm_{edge}"].text for edge in near}
        assert len(found) == 2 and found <= set("RAS"), axes
        assert all(texts[f"qsm_{edge}"].visible for edge in near)
    assert Letters("R", "L", "A", "P") == letters_at(model, (0, 1, 2))


def letters_at(model, order):
    model.dims.order = order
    return letters._ROUND[model].letters()


def test_letters_follow_what_napari_draws(tmp_path):
    model = ViewerModel()
    letters.show_letters(model)
    texts = [model.canvas.overlays[f"qsm_{edge}"] for edge in ("left", "right", "top", "bottom")]
    assert not any(text.visible for text in texts)  # nothing of ours yet
    model.add_image(np.zeros((4, 5, 6)))
    assert not any(text.visible for text in texts)
    layer = model.add_layer(Layer.create(*layer_data(ramp())[0]))
    assert [text.text for text in texts] == ["R", "L", "A", "P"]
    model.scene.camera.orientation2d = ("up", "left")
    assert [text.text for text in texts] == ["L", "R", "P", "A"]
    model.scene.camera.orientation2d = ("down", "right")
    model.dims.ndisplay = 3
    assert [text.text for text in texts] == ["R", "L", "A", "P"]  # seen from the feet
    model.scene.camera.angles = (0, 0, 90)
    assert [text.text for text in texts] == ["R", "L", "S", "I"]  # from the front
    layer.rotate = 20  # its sides are now anywhere
    assert {text.text for text in texts} == {"?"}
    layer.rotate = 0
    layer.visible = False
    assert not any(text.visible for text in texts)


def test_letters_of_a_file_without_sides_are_question_marks():
    model = ViewerModel()
    letters.show_letters(model)
    unknown = Volume(ramp().data, affine_of(), unit="ppm", name="x", orientation_known=False)
    model.add_layer(Layer.create(*layer_data(unknown)[0]))
    assert model.canvas.overlays["qsm_left"].text == "?"


def regions_file(tmp_path):
    values = np.zeros(SHAPE, np.int16)
    values[2:5, 3:9] = 3
    source = save(tmp_path / "drawing.nii.gz", Volume(values, affine_of(), name="drawing"))
    (tmp_path / "drawing.tsv").write_text(
        "index\tname\tcolor\n3\tPutamen L\t#ff8000\n", encoding="utf-8"
    )
    return source


def test_labels_carry_names_colours_and_table(tmp_path):
    layer = Layer.create(*read(str(regions_file(tmp_path)))[0])
    np.testing.assert_allclose(layer.get_color(3), (1, 128 / 255, 0, 1), atol=1e-6)
    # napari's table marks the row whose place is the label that is chosen.
    assert list(layer.features["index"]) == [0, 1, 2, 3]
    assert list(layer.features["name"]) == ["no region", "", "", "Putamen L"]
    nz, ny, nx = layer.data.shape
    status = layer.get_status(layer.data_to_world((nz - 1, ny - 1 - 4, nx - 1 - 3)), world=True)
    assert "Putamen L" in status["value"]


def test_saved_labels_have_their_table_with_names_changed_in_napari(tmp_path):
    layer = Layer.create(*read(str(regions_file(tmp_path)))[0])
    table = layer.features.copy()
    table.loc[table["index"] == 3, "name"] = "Putamen, left"
    layer.features = table
    target = tmp_path / "mine.nii.gz"
    written = write_regions(str(target), layer.data, layer.as_layer_data_tuple()[1])
    assert written == [str(target), str(tmp_path / "mine.txt")]
    volume, regions = read_labels(target)
    assert [(r.index, r.name, r.color) for r in regions] == [(3, "Putamen, left", "#ff8000")]
    np.testing.assert_array_equal(volume.data, nib.load(tmp_path / "drawing.nii.gz").dataobj)


def test_save_all_writes_every_layer_or_none(tmp_path):
    layers = [Layer.create(*layer_data(ramp(ORDERS[9], name="χ map"))[0])]
    layers.append(Layer.create(*read(str(regions_file(tmp_path)))[0]))
    data = [layer.as_layer_data_tuple() for layer in layers]
    written = write_all(str(tmp_path / "head.nii.gz"), data)
    names = ["head_χ_map.nii.gz", "head_χ_map.json", "head_drawing.nii.gz", "head_drawing.txt"]
    assert written == [str(tmp_path / name) for name in names]
    np.testing.assert_array_equal(nib.load(written[0]).dataobj, stored_in(ramp(), ORDERS[9]).data)
    with pytest.raises(FileError, match="there already"):
        write_all(str(tmp_path / "head"), data)
    flat = (np.zeros((4, 5)), {"name": "flat"}, "image")
    with pytest.raises(QsmError, match="2-D"):
        write_all(str(tmp_path / "other"), [*data, flat])
    assert not list(tmp_path.glob("other*"))


def test_saved_images_keep_unit_and_facts(tmp_path):
    facts = {"EchoTime": 0.021, "MagneticFieldStrength": 3.0}
    field = ramp(name="field a", unit="ppm")
    layer = Layer.create(*layer_data(field, "other", facts=facts)[0])
    target = tmp_path / "mine.nii.gz"
    write_one(str(target), layer.data, layer.as_layer_data_tuple()[1])
    again = Layer.create(*read(str(target))[0])
    assert again.metadata["qsm_volume"].unit == "ppm"
    assert facts.items() <= again.metadata["qsm_facts"].items()
    (tmp_path / "mine.json").write_text('{"EchoTime": 0.005}')  # somebody's own
    write_one(str(target), layer.data, layer.as_layer_data_tuple()[1])
    assert (tmp_path / "mine.json").read_text() == '{"EchoTime": 0.005}'


def test_into_the_workspace_and_back_nothing_moves(tmp_path):
    layer = Layer.create(*layer_data(ramp(ORDERS[21]))[0])
    before, scale, place = layer.data.copy(), tuple(layer.scale), tuple(layer.translate)
    as_workspace_has_it(layer)
    np.testing.assert_array_equal(layer.data, ramp().data.transpose(2, 1, 0))
    as_plain_napari_has_it(layer)
    np.testing.assert_array_equal(layer.data, before)
    np.testing.assert_allclose((layer.scale, layer.translate), (scale, place), atol=1e-6)


def test_a_sample_holds_the_scan_with_its_facts(monkeypatch):
    small = {"shape": (32, 36, 20), "voxel_size_mm": (5.5, 5.5, 7.0)}
    monkeypatch.setattr("napari_qsm.viewer.contributions.SAMPLE_GRID", small)
    made = [Layer.create(*each) for each in sample("control")]
    roles = [layer.metadata["qsm_role"] for layer in made]
    assert roles == ["phase", "magnitude", "map", "labels"]
    phase, labels = made[0], made[3]
    assert phase.metadata["qsm_facts"]["EchoTime"] == 0.021
    assert phase.metadata["qsm_facts"]["MagneticFieldStrength"] == 3.0
    assert phase.metadata["qsm_volume"].unit == "rad" and not phase.visible
    assert "Putamen L" in set(labels.features["name"])
