"""JSON is read as Python reads it, unless it says what nobody means."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmnet.files import strict_json
from acmnet.files.strict_json import has_strange_numbers, is_too_deep, parse_json
from acmnet.limits import DEEPEST_NESTING, LONGEST_NUMBER


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_a_border_between_parts_hides_nothing(monkeypatch, at_once):
    monkeypatch.setattr(strict_json, "_LOOKED_AT", at_once)
    for before in (0, 5, 6, 7, 997):
        pad = "\u00e4" * before
        assert has_strange_numbers(f'["{pad}", {"1" * LONGEST_NUMBER}]')
        assert not has_strange_numbers(f'["{pad}", {"1" * (LONGEST_NUMBER - 1)}, 7]')
        assert has_strange_numbers(f'["{pad}", 1e999]')
        assert is_too_deep("[" * DEEPEST_NESTING + f'["{pad}"]' + "]" * DEEPEST_NESTING)
        assert not is_too_deep(
            "[" * (DEEPEST_NESTING - 1) + f'["{pad}[["]' + "]" * DEEPEST_NESTING
        )
        assert not is_too_deep(f'["{pad}"]' + "[]" * 10 * DEEPEST_NESTING)


def test_brackets_in_names_are_no_nesting():
    text = json.dumps({f'[[[[ {i} \\" {{': i for i in range(1000)})
    assert len(parse_json("x", text, "file", ValueError)) == 1000


def test_emoji_escaped_as_two_surrogates_are_text():
    assert parse_json("x", '["\\ud83d\\ude00", "\\\\ud800"]', "file", ValueError) == [
        "\N{GRINNING FACE}",
        "\\ud800",
    ]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab\\[{\"'"), inner),
)


@given(values, st.booleans())
def test_every_value_that_json_has_is_read_as_python_reads_it(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    found = parse_json("x", text, "file", ValueError)
    assert json.dumps(found) == json.dumps(value)


def test_a_key_is_found_twice_in_a_moment_among_many():
    text = json.dumps({str(i): i for i in range(200_000)})[:-1] + ', "199999": 0}'
    with pytest.raises(ValueError, match="key '199999' is listed twice"):
        parse_json("x", text, "file", ValueError)
