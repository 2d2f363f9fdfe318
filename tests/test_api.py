"""What the package offers to scripts, and README's script, without Qt and without a display."""

import ast
import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import napari_qsm as qsm
from napari_qsm.outputs import write_head
from napari_qsm.phantom import make_head
from tests.test_imports import HEAVY_LIBRARIES, WINDOW_LIBRARIES, fresh

ROOT = Path(__file__).resolve().parents[1]
NAMES = [name for name in qsm.__all__ if name != "__version__"]
WITHOUT_QT = f"""
import sys
sys.modules.update(dict.fromkeys({sorted(WINDOW_LIBRARIES)!r}))
"""


def test_importing_the_package_loads_nothing_else():
    loaded = fresh("import json, sys, napari_qsm; print(json.dumps(sorted(sys.modules)))")
    assert not (HEAVY_LIBRARIES | WINDOW_LIBRARIES | {"pydantic", "psygnal"}) & set(loaded)
    assert {name for name in loaded if name.startswith("napari_qsm")} == {
        "napari_qsm",
        "napari_qsm._version",
    }


def test_types_and_values_of_public_names_come_from_one_place():
    tree = ast.parse((ROOT / "napari_qsm/__init__.py").read_text(encoding="utf-8"))
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.name: node.module.removeprefix("napari_qsm.")
        for node in typed.body
        for alias in node.names
    }
    assert imported == qsm._HOME
    assert set(NAMES) == set(qsm._HOME) and sorted(qsm.__all__) == qsm.__all__


@pytest.mark.parametrize("name", [name for name in NAMES if name != "open_workspace"])
def test_each_public_name_is_there_and_says_what_it_is(name):
    value = getattr(qsm, name)
    assert value is getattr(import_module(f"napari_qsm.{qsm._HOME[name]}"), name)
    assert value.__doc__ and name in dir(qsm)


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="read_scans"):
        qsm.read_scans  # noqa: B018


def test_the_page_of_the_api_describes_every_name():
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}" not in page] == []


def script():
    """Return README's script."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    return found


def test_readmes_script_makes_the_case_report_without_qt_and_display(tmp_path):
    heads = {}
    for who in ("control", "patient"):
        heads[who] = make_head(who, shape=(64, 72, 36), voxel_size_mm=(3, 3, 4))
        write_head(heads[who], tmp_path / who / "scan")
        for name in ("labels.nii.gz", "labels.txt", "labels.json"):
            (tmp_path / who / "scan" / name).rename(tmp_path / who / name)
    code = script()
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    # The folder of the script is not the checkout: the package must be found all the same.
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_QT + code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "table.csv")
    assert set(table["subject"]) == {"control", "patient"}
    for who, head in heads.items():
        chi = np.asarray(nib.load(tmp_path / who / "chi.nii.gz").dataobj, dtype=np.float64)
        labels = np.asarray(nib.load(tmp_path / who / "labels.nii.gz").dataobj)
        rows = table[table["subject"] == who].set_index("label")
        assert set(rows.index) >= set(np.unique(labels[labels > 0]))
        for label in (1, 2):
            inside = chi[labels == label]
            assert rows.loc[label, "voxels"] == inside.size
            assert rows.loc[label, "mean_ppm"] == pytest.approx(inside.mean(), abs=1e-7)
            assert rows.loc[label, "sd_ppm"] == pytest.approx(inside.std(ddof=1), abs=1e-7)
            assert rows.loc[label, "name"] == next(
                region.name for region in head.label_names if region.index == label
            )
    for number in (1, 2):
        with Image.open(tmp_path / f"figure-{number}.png") as picture:
            assert picture.width > 1000 and np.ptp(np.asarray(picture.convert("L"))) > 100
        spec = json.loads((tmp_path / f"figure-{number}.json").read_text(encoding="utf-8"))
        assert {source["name"] for source in spec["sources"].values()} >= {"Control", "Patient"}


def test_functions_for_scripts_refuse_in_a_sentence(tmp_path):
    with pytest.raises(qsm.QsmError, match="case-report-1"):
        qsm.render_figure(tmp_path / "f.json", control=tmp_path)
    with pytest.raises(qsm.QsmError, match="case-report, consensus"):
        qsm.reconstruct(make_head("control", shape=(32, 32, 16)).scan, "case-raport")


def test_recipes_may_be_names_files_mappings_and_objects(tmp_path):
    from napari_qsm.recon.pipeline import Inputs

    head = make_head("control", shape=(40, 44, 24), voxel_size_mm=(4.5, 4.5, 6))
    start = Inputs(local_field_ppm=head.local_field, mask=head.mask)
    recipe = qsm.load_recipe("case-report")
    (tmp_path / "mine.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    given = ("case-report", tmp_path / "mine.yaml", recipe, recipe.to_dict())
    made = [
        qsm.reconstruct(start, each, settings=["inversion.method=tkd"]).arrays["chi_ppm"]
        for each in given
    ]
    for other in made[1:]:
        np.testing.assert_array_equal(made[0], other)
