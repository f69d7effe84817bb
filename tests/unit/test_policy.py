"""The views of a policy: its versions, and what differs between two of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import markup, policy
from helpers.errors import WorkbookError
from helpers.incident import DOCUMENT
from helpers.policy import Version, Versions, difference

SCRIPT = "<script>alert(1)</script>"
MADE = datetime(2026, 11, 22, 13, tzinfo=UTC)
TEXT = (Path(policy.stack.TEMPLATE).parents[1] / "data" / "policies" / "bad.json").read_text()


def _version(name: str, text: str = TEXT, *grants: str, in_force: bool = False) -> Version:
    return Version(name, in_force, MADE, text, grants)


def _statement(**elements: object) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Resource": "*", **elements}]})


# Versions -----------------------------------------------------------------------------------------


def test_versions_are_a_table_with_what_each_grants() -> None:
    found = Versions(
        "p", (_version("v2", in_force=True), _version("v1", TEXT, "s3:DeleteBucket", SCRIPT))
    )
    shown = found._repr_html_()
    assert [row.count("✓") for row in shown.split("<tr>")[2:4]] == [1, 0]
    assert "2026-11-22 13:00:00 UTC" in shown
    assert "s3:DeleteBucket, &lt;script&gt;" in shown
    assert "<script>" not in shown
    assert "GetBucketObjectLockConfiguration" in shown, "the document is there to be unfolded"
    assert repr(found).splitlines() == [
        "p", "v2 (in force): grants nothing", f"v1: grants s3:DeleteBucket, {SCRIPT}",
    ]  # fmt: skip


def test_a_version_is_found_by_its_id_and_a_missing_one_says_so() -> None:
    found = Versions("p", (_version("v2", in_force=True),))
    assert found["v2"] is found[0] is found.in_force
    assert found["v2"].document == DOCUMENT
    assert len(found) == len(list(found)) == 1
    with pytest.raises(WorkbookError, match=r"no version v1 \(any more\), only v2"):
        found["v1"]


def test_what_is_granted_is_judged_by_the_app_itself() -> None:
    path = Path(policy._judge().__file__)
    assert path == policy.stack.TEMPLATE.parent / "functions/validate_policy/policy_grants.py"
    assert policy._judge().restricted_grants(TEXT, ["s3:DeleteBucket", "s3:DeleteObject"]) == [
        "s3:DeleteBucket"
    ]


# Differences --------------------------------------------------------------------------------------


def test_only_what_differs_is_marked() -> None:
    found = difference(
        _version("v1", _statement(Action=["a:One", "a:Two"])),
        _version("v2", _statement(Action=["a:Two", "a:Three"])),
    )
    assert [line.strip() for line in found.lines if line[0] in "+-"] == [
        '-        "a:One",', '+        "a:Three",',
    ]  # fmt: skip
    assert found
    assert found.summary == "From v1 to v2: 1 line removed, 1 line added."
    assert repr(found).startswith(found.summary)


def test_a_comma_that_another_line_needs_is_no_difference() -> None:
    more = _statement(Action="a:One", Condition={"Bool": {"aws:SecureTransport": "true"}})
    found = difference(_statement(Action="a:One"), more)
    assert not [line for line in found.lines if line.startswith("-")]
    assert len(found.lines) == len(policy._indented(policy._normal(json.loads(more))).splitlines())


def test_of_long_documents_only_what_is_around_a_change_is_shown() -> None:
    many = [f"a:Action{number:03}" for number in range(200)]
    found = difference(_statement(Action=many), _statement(Action=[*many[:-1], "a:Zebra"]))
    assert found.lines[0] == "⋯"
    assert len(found.lines) == 1 + policy._CONTEXT + 2 + policy._CONTEXT


def test_what_changed_is_told_by_a_sign_and_by_colour() -> None:
    shown = difference(_statement(Action="a:One"), _statement(Action=SCRIPT))._repr_html_()
    assert '<del style="text-decoration:none">-' in shown
    assert '<ins style="text-decoration:none">+' in shown
    for _, colour in markup._CHANGES.values():
        assert colour in shown
    assert "<script>" not in shown


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_statement(Action="a:One"), _statement(Action=["a:One"])),
        (_statement(Action=["a:One", "a:Two"]), _statement(Action=["a:Two", "a:One"])),
        ('{"Version": "2012-10-17", "Statement": []}', '{"Statement":[],"Version":"2012-10-17"}'),
        (
            '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}',
            '{"Statement": [{"Resource": ["*"], "Action": ["*"], "Effect": "Allow"}]}',
        ),
        (
            _statement(Condition={"StringEquals": {"b": "1", "a": ["2", "3"]}}),
            _statement(Condition={"StringEquals": {"a": ["3", "2"], "b": ["1"]}}),
        ),
        (_statement(Principal={"AWS": "x"}), _statement(Principal={"AWS": ["x"]})),
    ],
)
def test_what_says_the_same_does_not_differ(one: str, other: str) -> None:
    found = difference(one, other)
    assert not found
    assert found.equal is False
    assert found.summary == "before and after say the same, though not byte for byte."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_statement(Action="a:One"), _statement(Action="a:one")),
        (_statement(Action="a:One"), _statement(NotAction="a:One")),
        (_statement(Principal="*"), _statement(Principal={"AWS": "*"})),
        (_statement(Sid="1"), _statement(Sid="2")),
        (
            _statement(Condition={"Bool": {"a": "true"}}),
            _statement(Condition={"Bool": {"a": True}}),
        ),
    ],
)
def test_what_may_mean_something_else_differs(one: str, other: str) -> None:
    assert difference(one, other)


def test_equal_to_the_byte_is_told_apart_from_saying_the_same() -> None:
    assert difference(TEXT, TEXT).equal is True
    assert difference(TEXT, TEXT).summary == "before and after are equal, byte for byte."
    assert difference(TEXT, f"{TEXT} ").equal is False
    parsed = difference(TEXT, DOCUMENT)
    assert not parsed
    assert parsed.equal is None, "a parsed document has lost its spaces"
    assert parsed.summary == "before and after say the same."


def test_names_can_be_given() -> None:
    found = difference(_version("v1"), "{}", names=("the first", "the quarantine"))
    assert found.summary.startswith("From the first to the quarantine:")
    assert difference(_version("v1"), "{}").summary.startswith("From v1 to after:")


def test_what_is_no_json_ends_in_a_sentence() -> None:
    with pytest.raises(WorkbookError, match="not a policy document"):
        difference("{", TEXT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(policy._ORDER), inner)
    ),
    max_leaves=20,
)


@given(JSON, JSON)
def test_any_json_can_be_compared(one: object, other: object) -> None:
    """Whatever a document holds, with lists and objects where none should be."""
    found = difference(json.dumps(one), json.dumps(other))
    assert difference(json.dumps(one), json.dumps(one)).equal
    if json.dumps(one) == json.dumps(other):
        assert not found
    assert "<script" not in found._repr_html_()
