"""What a text is searched for before JSON is read from it, part by part."""

import pytest

from acmnet.files import strict_json
from acmnet.files.strict_json import has_strange_numbers, is_too_deep
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
