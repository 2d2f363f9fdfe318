"""What the golden runs are: every command, and every method, on a small built-in head.

``python -m tests.golden.runs [NAMES]`` writes what they give now into ``kept/``. That is done
when a number is *meant* to change, and the change is then explained; presets, whose settings may
get better, are kept apart from methods, whose recipes in ``recipes/`` name every setting.
"""

import csv
import io
import json
import re
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import nibabel as nib
import numpy as np
import yaml

from napari_qsm.cli import main
from tests.golden.kept_values import write

HERE = Path(__file__).resolve().parent
GRID = ["--shape", "48,56,28", "--voxel-size-mm", "4,4,5", "--seed", "5"]
SUBJECTS = {"control": ["21"], "patient": ["8", "16", "24"]}
PRESETS = ("case-report", "consensus")
#: Where each stage's methods start, and what else they are given.
STARTS = {
    "unwrap": {},
    "echoes": {},
    "background": {"--total-field": "total_field", "--mask": "mask"},
    "inversion": {"--local-field": "local_field", "--mask": "mask"},
    "reference": {"--local-field": "local_field", "--mask": "mask"},
    "mask": {},
    "phase": {},
}
OWN_STARTS = {
    "mask-given": {"--phase": "phase", "--mask": "mask"},
    "reference-csf": {},
    "reference-roi": {**STARTS["reference"], "--reference-roi": "nucleus"},
}
IMAGES = (
    "mask",
    "unwrapped",
    "total_field",
    "field_noise",
    "local_field",
    "local_mask",
    "chi",
    "r2star",
    "t2star",
)


def command(*arguments):
    """Run a command; returns what it prints, with folders left out of it."""
    said = io.StringIO()
    with redirect_stdout(said):
        status = main([str(each) for each in arguments])
    assert status == 0, f"{arguments} ended with {status}"
    return said.getvalue()


def images(folder, names):
    """Values of the images that are there, as the files hold them."""
    found = {}
    for name in names:
        path = folder / f"{name}.nii.gz"
        if path.is_file():
            found[name] = np.asanyarray(nib.load(path).dataobj)
    return found


def scans(folder):
    """Both heads, by the command ``phantom``."""
    for subject, times in SUBJECTS.items():
        out = folder / subject / "scan"
        command("phantom", out, "--subject", subject, *GRID, "--echo-times-ms", *times)
        labels = nib.load(out / "labels.nii.gz")
        nucleus = (np.asarray(labels.dataobj) == 1).astype(np.uint8)
        nib.save(nib.Nifti1Image(nucleus, labels.affine), out / "nucleus.nii.gz")


def phantom(folder):
    kept = {}
    for subject in SUBJECTS:
        names = ("phase", "magnitude", "mask", "chi", "local_field", "total_field", "labels")
        for name, values in images(folder / subject / "scan", names).items():
            kept[f"{subject}/{name}"] = values
        kept[f"{subject}/labels.txt"] = (folder / subject / "scan/labels.txt").read_text("utf-8")
        kept[f"{subject}/phase.json"] = json.loads(
            (folder / subject / "scan/phase.json").read_text("utf-8")
        )
    return kept


def reconstruct(folder, recipe, out, subject="patient", **inputs):
    scan = folder / subject / "scan"
    given = inputs or {"--phase": "phase"}
    arguments = ["--magnitude", scan / "magnitude.nii.gz"]
    for option, name in given.items():
        arguments += [option, scan / f"{name}.nii.gz"]
    command("reconstruct", *arguments, "--recipe", recipe, "--out", out, "--no-report")
    return images(out, IMAGES)


def presets(folder):
    """Both presets of the program, whatever they are."""
    kept = {}
    for recipe in PRESETS:
        made = reconstruct(folder, recipe, folder / recipe)
        kept.update({f"{recipe}/{name}": values for name, values in made.items()})
    return kept


def methods(folder):
    """Each method with settings of its own recipe file, on what the stage is given."""
    kept = {}
    for path in sorted((HERE / "recipes").glob("*.yaml")):
        stage = path.stem.partition("-")[0]
        inputs = OWN_STARTS.get(path.stem, STARTS[stage])
        made = reconstruct(folder, path, folder / "methods" / path.stem, **inputs)
        kept.update({f"{path.stem}/{name}": values for name, values in made.items()})
    return kept


def results(folder):
    """Results as ``figure`` and ``report`` take them, by a recipe that names every setting."""
    for subject in SUBJECTS:
        out = folder / subject
        if not (out / "chi.nii.gz").exists():
            scan = out / "scan"
            command(
                *["reconstruct", "--phase", scan / "phase.nii.gz"],
                *["--magnitude", scan / "magnitude.nii.gz", "--out", out, "--overwrite"],
                *["--recipe", HERE / "recipes" / "inversion-tkd.yaml"],
            )
            for name in ("labels.nii.gz", "labels.txt"):
                shutil.copy(scan / name, out / name)


def stats(folder):
    scan = folder / "patient" / "scan"
    given = ["stats", scan / "chi.nii.gz", scan / "labels.nii.gz", "--table", scan / "labels.txt"]
    printed = command(*given)
    command(*given, "--out", folder / "table.csv")
    command(*given, "--unit", "ppb", "--out", folder / "table.json")
    return {
        "printed": printed,
        "table": rows((folder / "table.csv").read_text("utf-8")),
        "table-ppb": json.loads((folder / "table.json").read_text("utf-8")),
    }


def rows(text):
    """Rows of a CSV, numbers as numbers."""

    def value(word):
        try:
            return float(word) if "." in word or "e" in word else int(word)
        except ValueError:
            return word

    return [{key: value(v) for key, v in row.items()} for row in csv.DictReader(io.StringIO(text))]


def check(folder):
    scan = folder / "patient" / "scan"
    names = ("phase", "magnitude", "chi", "labels", "mask")
    said = command("check", *(scan / f"{name}.nii.gz" for name in names), scan / "labels.txt")
    return {"printed": said.replace(str(folder), "FOLDER").replace("\\", "/")}


def figure(folder):
    results(folder)
    kept = {}
    subjects = ["--control", folder / "control", "--patient", folder / "patient"]
    for template in ("case-report-1", "case-report-2"):
        out = folder / f"{template}.png"
        spec = folder / f"{template}-spec.json"
        more = ["--width-mm", "114", "--dpi", "60", "--save-spec", spec]
        command("figure", "--template", template, *subjects, "--out", out, *more)
        again = folder / f"{template}-again.png"
        command("figure", spec, "--out", again)
        assert again.read_bytes() == out.read_bytes(), "a spec gives another picture"
        from PIL import Image

        with Image.open(out) as picture:
            kept[f"{template}/picture"] = np.asarray(picture.convert("RGB"))
        kept[f"{template}/spec"] = without_ids(json.loads(spec.read_text("utf-8")))
        kept[f"{template}/caption"] = out.with_suffix(".txt").read_text("utf-8")
        if template == "case-report-1":
            kept[f"{template}/table"] = rows(out.with_suffix(".csv").read_text("utf-8"))
    return kept


def without_ids(spec):
    """Ids of marks are drawn by lot."""
    if isinstance(spec, dict):
        return {key: without_ids(value) for key, value in spec.items() if key != "id"}
    return [without_ids(each) for each in spec] if isinstance(spec, list) else spec


def report(folder):
    results(folder)
    labels = folder / "patient/labels.nii.gz"
    command(
        "report",
        folder / "patient",
        "--labels",
        labels,
        "--table",
        labels.with_name("labels.txt"),
        "--overwrite",
    )
    quality = json.loads((folder / "patient/quality.json").read_text("utf-8"))
    page = (folder / "patient/report.html").read_text("utf-8")
    return {"quality": without_times(quality), "words": words_of(page)}


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if not re.search("second|sha256", k)}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def words_of(page):
    """Words that a page shows, each once and in order, without numbers."""
    page = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", " ", page)
    return " ".join(dict.fromkeys(re.findall(r"[A-Za-zχµ]{3,}", text)))


RUNS = {
    "phantom": phantom,
    "methods": methods,
    "presets": presets,
    "stats": stats,
    "check": check,
    "figure": figure,
    "report": report,
}


def plain_recipe(stage, method):
    """A recipe that names every setting: a quick method in each stage but one."""
    from napari_qsm.recon.recipe import Recipe, default_choice

    quick = {
        "phase": "scale",
        "mask": "threshold",
        "unwrap": "laplacian",
        "echoes": "weighted",
        "background": "sharp",
        "inversion": "tkd",
        "reference": "none",
    }
    chosen = {**quick, stage: method}
    return Recipe(
        f"{stage}-{method}",
        f"Every setting named; for the golden run of '{method}'.",
        {name: default_choice(name, each) for name, each in chosen.items()},
    ).to_dict()


def write_recipes():
    """Write the recipes of all methods that need no other program; done once, at version 0.1."""
    from napari_qsm.recon.stages import STAGES
    from napari_qsm.recon.stages import methods as registered

    for stage in STAGES:
        for method in registered(stage):
            if method in ("bet", "hd-bet", "synthstrip"):
                continue
            text = yaml.safe_dump(plain_recipe(stage, method), sort_keys=False)
            (HERE / "recipes" / f"{stage}-{method}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        scans(Path(work))
        for name in sys.argv[1:] or RUNS:
            write(HERE / "kept", name, RUNS[name](Path(work)))
