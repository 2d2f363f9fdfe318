"""What plain napari does with files: open, show, save on the file's own grid."""

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

from napari_qsm.errors import FileError
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.viewer.contributions import get_reader, layer_data, read, write_one
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
    np.testing.assert_array_equal(data, ramp().data.transpose(2, 1, 0))
    np.testing.assert_allclose(options["scale"], (3.0, 1.5, 2.0), rtol=1e-6)
    assert options["units"] == ("mm",) * 3 and options["axis_labels"] == ("z", "y", "x")
    layer = Layer.create(data, options, kind)
    layer_options = layer.as_layer_data_tuple()[1]
    target = tmp_path / "back.nii.gz"
    assert write_one(str(target), layer.data, layer_options) == [str(target)]
    before, after = nib.load(source), nib.load(target)
    np.testing.assert_array_equal(after.affine, before.affine)
    np.testing.assert_array_equal(after.dataobj, before.dataobj)
    assert after.header["sform_code"] == before.header["sform_code"]


def test_world_places_of_an_upright_file_are_napari_places(tmp_path):
    source = save(tmp_path / "x.nii", ramp())
    ((data, options, kind),) = read(str(source))
    layer = Layer.create(data, options, kind)
    world = ramp().voxel_to_world([3, 4, 5])
    np.testing.assert_allclose(layer.data_to_world((5, 4, 3)), world[::-1], atol=1e-5)


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
    layer.data_setitem((np.array([5]), np.array([4]), np.array([3])), 9)
    write_one(str(tmp_path / "new.nii.gz"), layer.data, layer.as_layer_data_tuple()[1])
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
    assert np.shares_memory(data, options["metadata"]["qsm_volume"].data)


def test_shared_orientations_all_open_the_same(shared_data):
    files = sorted((shared_data / "orientations").glob("*.nii.gz"))
    assert len(files) == 48
    first = None
    for path in files:
        ((data, options, _),) = read(str(path))
        key = (data.tobytes(), tuple(np.round(options["scale"], 4)))
        first = first or key
        assert key == first, path.name
