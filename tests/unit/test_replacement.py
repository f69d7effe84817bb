"""One document in place of another: what is shown, and that nothing in it is markup."""

from __future__ import annotations

import json
import re

import pytest

from helpers.replacement import PADDED, Replacement

SCRIPT = "<script>alert(1)</script>"


def test_what_stays_goes_and_comes_has_its_sign() -> None:
    before = json.dumps({"Version": "2012-10-17", "Effect": "Deny"})
    after = json.dumps({"Version": "2012-10-17", "Effect": "Allow"})
    assert Replacement(before, after).lines == [
        (" ", "{"),
        (" ", '  "Version": "2012-10-17",'),
        ("-", '  "Effect": "Deny"'),
        ("+", '  "Effect": "Allow"'),
        (" ", "}"),
    ]


def test_white_space_makes_no_difference() -> None:
    assert {s for s, _ in Replacement('{"a":  [1,\n 2]}', '{"a": [1, 2]}').lines} == {" "}


def test_colour_and_sign_both_tell() -> None:
    shown = Replacement("[1]", "[2]")._repr_html_()
    assert re.search(r"#e5534b[^>]*><del [^>]*>-   1</del>", shown)
    assert re.search(r"#2da44e[^>]*><ins [^>]*>\+   2</ins>", shown)
    assert repr(Replacement("[1]", "[2]")).splitlines()[1:3] == ["-   1", "+   2"]


def test_markup_is_text_and_what_is_invisible_is_seen() -> None:
    document = json.dumps({"Sid": f"{SCRIPT}\u202e\u200b"}, ensure_ascii=False)
    shown = Replacement("", document)._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "\u202e" not in shown
    assert "\\u202e\\u200b" in shown
    assert "\u202e" not in repr(Replacement("", document))


@pytest.mark.parametrize(
    "document",
    [
        '{"Effect": "Deny", "Effect": "Allow"}',
        '{"Effect": NaN}',
        "no JSON at all\nin two lines",
        "[" * 100_000,
        '{"a": 1',
    ],
)
def test_what_is_no_strict_json_stays_as_it_is(document: str) -> None:
    text = "\n".join(line for _, line in Replacement("", document).lines)
    assert text == document
    assert len(Replacement("", document)._repr_html_()) > len(document)


def test_a_padded_document_loses_its_padding() -> None:
    hidden = "not JSON" + " \n" * PADDED + "the end"
    assert Replacement("", hidden).lines == [("+", "not JSON the end")]


def test_nothing_is_no_difference() -> None:
    assert Replacement("", "").lines == []
    assert "<pre" in Replacement("", "")._repr_html_()
