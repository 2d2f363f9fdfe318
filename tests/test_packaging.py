"""The plugin is found by napari from a wheel, from the source package and from a checkout."""

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import jinja2
import pytest
import yaml

import napari_qsm

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / "napari_qsm" / "napari.yaml"
RECIPES = sorted((ROOT / "napari_qsm" / "recon" / "recipes").glob("*.yaml"))
ATLAS = sorted((ROOT / "napari_qsm" / "registration" / "cit168").iterdir())
TEMPLATE = sorted((ROOT / "napari_qsm" / "phantom" / "template").iterdir())
SAMPLES = sorted((ROOT / "napari_qsm" / "samples" / "gre-crop").iterdir())
FONTS = sorted((ROOT / "napari_qsm" / "figures" / "fonts").iterdir())
DATA_FILES = [
    path.relative_to(ROOT).as_posix()
    for path in [MANIFEST, *RECIPES, *ATLAS, *TEMPLATE, *SAMPLES, *FONTS]
]

DISCOVER = """
import sys
from npe2 import PluginManager
import napari_qsm
manager = PluginManager.instance()
manager.discover()
manifest = manager.get_manifest("napari-qsm")
print(napari_qsm.__file__)
print(len(list(manifest.contributions.commands or ())))
"""

pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason="there is no manifest yet")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the source package and, from it, the wheel; with the tools already here."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


def discover(folder, pythonpath=None):
    """Return the package's file and its number of commands, as napari would find them."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if pythonpath is not None:
        env["PYTHONPATH"] = str(pythonpath)
    # -P and the folder: the checkout itself must not be found by chance.
    done = subprocess.run(
        [sys.executable, "-P", "-c", DISCOVER],
        capture_output=True,
        text=True,
        cwd=folder,
        env=env,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    file, commands = done.stdout.split("\n")[:2]
    return Path(file), int(commands)


def test_published_pages_have_whole_addresses():
    """Links work on a package index, where nothing lies beside the README."""
    home = "https://example.org/qsm"
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = "![a](docs/a.png) [b](docs/b.md#c) [d](https://d) [e](#f)"
    assert module.whole_addresses(text, f"{home}/raw/v1", f"{home}/blob/v1") == (
        f"![a]({home}/raw/v1/docs/a.png) [b]({home}/blob/v1/docs/b.md#c) [d](https://d) [e](#f)"
    )
    assert module.addresses("") == {}
    assert module.addresses(home)["Issues"] == f"{home}/issues"


def test_the_version_and_the_dependencies_are_said_once_more_but_alike():
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {napari_qsm.__version__}\n" in citation
    recipe = (ROOT / "packaging" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    there = set(re.findall(r"^    - ([\w-]+ ?[>=<.\d]*)$", recipe, flags=re.MULTILINE))
    other = {"matplotlib": "matplotlib-base"}
    for wanted in said["dependencies"]:
        name, bound = re.fullmatch(r"([\w-]+)(.*)", wanted).groups()
        assert f"{other.get(name, name)} {bound}" in there


def construct(platform):
    """Read the installers' definition as conda's constructor does: selectors, then jinja, then YAML."""
    text = (ROOT / "packaging" / "installer" / "construct.yaml").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        chosen = re.search(r"#\s*\[(\w+)\]\s*$", line)
        if chosen is None or chosen[1] == platform:
            lines.append(line)
    return yaml.safe_load(jinja2.Template("\n".join(lines)).render(environ={"VERSION": "9.8.7"}))


@pytest.mark.parametrize(("platform", "kind"), [("win", "exe"), ("osx", "pkg"), ("linux", "sh")])
def test_installers_hold_the_program_with_icon_and_file_type(platform, kind):
    made = construct(platform)
    assert made["installer_type"] == kind and made["version"] == "9.8.7"
    assert {"napari-qsm 9.8.7", "napari-qsm-menu 9.8.7"} <= set(made["specs"])
    folder = ROOT / "packaging" / "installer" / "menu"
    assert made["menu_packages"] == ["napari-qsm-menu"]
    (entry,) = json.loads((folder / "napari-qsm-menu.json").read_text())["menu_items"]
    ending = {"win": "ico", "osx": "icns", "linux": "png"}[platform]
    assert (folder / entry["icon"].rpartition("/")[2].replace("{{ ICON_EXT }}", ending)).is_file()
    command = {**entry, **entry["platforms"][platform]}["command"]
    assert command[1:4] == ["-m", "napari_qsm", "view"]
    assert "nii" in json.dumps(entry["platforms"][platform])


def test_top_level_manifest_is_the_packages_own():
    assert (ROOT / "napari.yaml").read_bytes() == MANIFEST.read_bytes()


def test_manifest_is_valid_and_its_commands_exist():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_file(MANIFEST)
    assert manifest.name == "napari-qsm"
    manifest.validate_imports()


def test_wheel_and_source_package_hold_manifest_and_recipes(built):
    sdist, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        for name in DATA_FILES:
            assert archive.read(name) == (ROOT / name).read_bytes()
        guide = (ROOT / "docs" / "user-guide" / "index.md").read_bytes()
        assert archive.read("napari_qsm/docs/user-guide/index.md") == guide
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names.issuperset([*DATA_FILES, "napari.yaml", "dev.py", "pyproject.toml"])
    assert not [name for name in names if name.startswith("docs/images/")]
    # Of these, five and a half are the finished heads, one the template, and one a real scan.
    assert sdist.stat().st_size < 10.5e6


def test_napari_finds_the_plugin_in_a_wheel(built, tmp_path):
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(built[1]) as archive:
        archive.extractall(unpacked)
    file, commands = discover(tmp_path, pythonpath=unpacked)
    assert file.is_relative_to(unpacked)
    assert commands > 0


def test_napari_finds_the_plugin_in_the_checkout(tmp_path):
    try:
        importlib.metadata.distribution("napari-qsm")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the project is not installed in this environment")
    file, commands = discover(tmp_path)
    assert file == ROOT / "napari_qsm" / "__init__.py"
    assert commands > 0
