"""Numbers that people type, with points and commas."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_qsm.errors import MetadataError
from napari_qsm.typed import ascending, number, numbers, readings

ECHO_TIMES = ascending(0.5, 200)
#: Values as people write them: with few digits.
decimals = st.decimals(0, 9999, places=2, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), ("1,5", 1.5), ("−3", -3), (" 21 ms", 21), ("1e-3", 0.001), (",5", 0.5)],
)
def test_one_number(text, value):
    assert number(text, "It", unit="ms") == value


@pytest.mark.parametrize(
    "text",
    ["", "x", "1.000,5", "1,000.5", "1'000", "nan", "inf", "1e999", "1_0", "0x1", "1 2", "9" * 400],
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(MetadataError, match="takes a number"):
        number(text, "It")


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["4.9,9.8"], (4.9, 9.8)),
        (["4.9", "9.8"], (4.9, 9.8)),
        (["4,9", "9,8"], (4.9, 9.8)),
        (["4,9;9,8"], (4.9, 9.8)),
        (["4,9, 9,8"], (4.9, 9.8)),
        (["5, 10, 15"], (5, 10, 15)),
        (["5,11,17,23"], (5, 11, 17, 23)),
        (["21,5"], (21.5,)),  # 21 and 5 do not ascend
        (["4.92 ms"], (4.92,)),
    ],
)
def test_lists(texts, values):
    assert numbers(texts, "It", unit="ms", possible=ECHO_TIMES) == values


@pytest.mark.parametrize("texts", [["4,8"], ["2,46"], ["5,10 15"], ["2,46,3,69"], ["4,9,9,8"]])
def test_what_can_be_meant_in_two_ways_is_asked_for(texts):
    with pytest.raises(MetadataError, match="can be read as"):
        numbers(texts, "It", possible=ECHO_TIMES)


def test_the_number_of_values_settles_it():
    assert numbers(["4,8"], "It", count=1) == (4.8,)
    assert numbers(["4,8"], "It", count=2) == (4, 8)
    assert numbers(["0,625 0,625 2"], "It", count=3) == (0.625, 0.625, 2)
    with pytest.raises(MetadataError, match="takes 3 numbers"):
        numbers(["1,2"], "It", count=3)


@given(decimals, st.sampled_from(".,"))
def test_point_and_comma_mean_the_same(value, mark):
    assert number(str(value).replace(".", mark), "It") == float(value)


@given(
    st.lists(decimals, min_size=2, max_size=6), st.sampled_from(".,"), st.sampled_from([";", "; "])
)
def test_a_semicolon_divides_whatever_the_decimal_mark(values, mark, between):
    text = between.join(str(v).replace(".", mark) for v in values)
    assert readings([text]) == [tuple(map(float, values))]


@given(st.lists(decimals, min_size=1, max_size=6))
def test_the_right_reading_is_always_among_those_of_decimal_commas(values):
    text = " ".join(str(v).replace(".", ",") for v in values)
    assert tuple(map(float, values)) in readings([text])


@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_text_is_read_or_refused_in_a_sentence(texts):
    try:
        values = numbers(texts, "It")
    except MetadataError as error:
        assert "\n" not in str(error) or "\n" in "".join(texts)
    else:
        assert all(map(math.isfinite, values))
