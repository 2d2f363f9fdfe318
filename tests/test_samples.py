"""The real crop that comes along, and the script that fetches an open scan."""

import functools
import hashlib
import http.server
import importlib.util
import json
import threading
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import MetadataError
from napari_qsm.io.sources import open_source
from napari_qsm.samples import GRE_CROP

SCRIPT = Path(__file__).parents[1] / "docs" / "fetch_open_scan.py"


def test_the_crop_is_the_original(shared_data):
    original = shared_data / "gre-multiecho-crop"
    for ours, theirs, scale in (
        ("phase", "Phase", np.pi / 0.0036743774),
        ("magnitude", "Mag", 1.0),
    ):
        image, source = nib.load(GRE_CROP / f"{ours}.nii.gz"), nib.load(original / f"{theirs}.nii")
        expected = source.get_fdata() * scale
        assert np.abs(image.get_fdata() - expected).max() < 1e-6 * np.abs(expected).max()
        np.testing.assert_allclose(image.affine, source.affine)
    assert (GRE_CROP / "LICENSE").read_text() == (original / "LICENSE").read_text()


def test_the_crops_field_strength_is_asked_for():
    with pytest.raises(MetadataError, match=r"field strength .* not recorded"):
        open_source(GRE_CROP)
    scan = open_source(GRE_CROP, field_strength_t=7.0)
    assert scan.echo_times_s == pytest.approx((0.004, 0.008, 0.012))
    assert np.abs(scan.phase[0].data).max() == pytest.approx(np.pi)


def test_the_crop_opens_as_upright_layers_that_say_what_is_missing():
    from napari_qsm.viewer.contributions import sample_crop

    layers = sample_crop()
    assert len(layers) == 6
    for data, options, kind in layers:
        assert kind == "image"
        assert data.shape == (41, 51, 51)
        assert "B0 not recorded" in options["name"]
        np.testing.assert_allclose(np.abs(options["scale"]), (1.0, 0.46875, 0.46875))


@pytest.fixture
def archive_server(tmp_path):
    """A server in this process with an archive of the form that the script expects."""
    folder = tmp_path / "server"
    folder.mkdir()
    with zipfile.ZipFile(folder / "scan.zip", "w") as archive:
        for part in ("phase", "magnitude"):
            archive.write(GRE_CROP / f"{part}.nii.gz", f"inputs/{part}.nii.gz")
        archive.writestr(
            "inputs/params.json", json.dumps({"TE": [0.004, 0.008, 0.012], "B0": 2.89})
        )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        checksum = hashlib.sha256((folder / "scan.zip").read_bytes()).hexdigest()
        yield f"http://127.0.0.1:{server.server_port}/scan.zip", checksum
        server.shutdown()


def test_an_open_scan_is_fetched_checked_and_readable(archive_server, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("fetch_open_scan", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    url, checksum = archive_server
    phase, _ = script.main(tmp_path / "open", url, checksum)
    assert str(phase.parent) in capsys.readouterr().out
    scan = open_source(phase.parent)
    assert scan.field_strength_t == 2.89
    assert scan.echo_times_s == pytest.approx((0.004, 0.008, 0.012))
    with pytest.raises(ValueError, match="does not match"):
        script.main(tmp_path / "other", url, "0" * 64)
    assert not list((tmp_path / "other").glob("**/*.nii.gz"))
