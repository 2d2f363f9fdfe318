"""Every command, and every method, gives what it gave in version 0.1; see :mod:`runs`."""

import pytest

from tests.golden.kept_values import differences
from tests.golden.runs import HERE, RUNS, scans


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Both built-in heads, small, as ``phantom`` writes them."""
    folder = tmp_path_factory.mktemp("golden")
    scans(folder)
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_what_it_gives_is_as_before(heads, name):
    assert differences(HERE / "kept", name, RUNS[name](heads)) == []


def test_the_comparison_sees_a_changed_value_a_flip_and_a_word(tmp_path, heads):
    kept = RUNS["phantom"](heads)
    name = "control/chi"
    for changed in (kept[name] + 0.01, kept[name][::-1], kept[name].astype("float64")):
        assert differences(HERE / "kept", "phantom", {**kept, name: changed}) != []
    words = kept["control/labels.txt"].replace("Putamen", "Putam")
    assert differences(HERE / "kept", "phantom", {**kept, "control/labels.txt": words}) != []
