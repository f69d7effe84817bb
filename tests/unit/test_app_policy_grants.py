"""What counts as granted: tricky documents one by one, and random ones against a slow reading."""

import json
import time
from functools import cache
from itertools import product
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_app_template import load

grants_module = load("validate_policy.policy_grants")
restricted_grants = grants_module.restricted_grants
RESTRICTED = ["s3:DeleteBucket", "s3:DeleteObject"]
BUCKET = ["s3:DeleteBucket"]
ALL = RESTRICTED


def allow(action, /, **more) -> dict:
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


def deny(action, /, **more) -> dict:
    return {"Effect": "Deny", "Action": action, "Resource": "*", **more}


def policy(*statements) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


TRICKY = {
    "an exact action": (policy(allow("s3:DeleteBucket")), BUCKET),
    "a longer action": (policy(allow("s3:DeleteBucketPolicy")), []),
    "a list": (policy(allow(["s3:GetObject", "s3:DeleteBucket"])), BUCKET),
    "the case does not matter": (policy(allow("S3:deletebucket")), BUCKET),
    "everything": (policy(allow("*")), ALL),
    "every action of every service": (policy(allow("*:*")), ALL),
    "every action of the service": (policy(allow("s3:*")), ALL),
    "a wildcard in the service": (policy(allow("s?:DeleteB*")), BUCKET),
    "a wildcard that stays on its side": (policy(allow("s*:Object")), []),
    "a question mark is exactly one": (policy(allow("s3:DeleteBucket?")), []),
    "a star is also none": (policy(allow("s3:DeleteBucket*")), BUCKET),
    "stars in a row": (policy(allow("s3:***Bucket")), BUCKET),
    "regular expressions mean nothing": (policy(allow("s3:Delete.+")), []),
    "brackets mean nothing": (policy(allow("s3:[D]eleteBucket")), []),
    "a second statement": (policy(allow("s3:GetObject"), allow("s3:DeleteBucket")), BUCKET),
    "one statement without a list": ({"Statement": allow("s3:DeleteBucket")}, BUCKET),
    "NotAction": (policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}), ALL),
    "NotAction of one": (
        policy({"Effect": "Allow", "NotAction": ["s3:DeleteObject"], "Resource": "*"}), BUCKET),
    "NotAction of all": (policy({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}), []),
    "a harmless resource": (policy(allow("s3:DeleteBucket", Resource="arn:aws:s3:::mine")), BUCKET),
    "a condition": (
        policy(allow("s3:DeleteBucket", Condition={"Bool": {"aws:x": "true"}})), BUCKET),
    "only a Deny": (policy(deny("s3:GetObject")), []),
    "a Deny takes away": (policy(allow("s3:*"), deny("s3:DeleteObject")), BUCKET),
    "a Deny takes away from what follows": (policy(deny("s3:DeleteObject"), allow("s3:*")), BUCKET),
    "a Deny of a list of resources": (
        policy(allow("s3:*"), deny("s3:DeleteObject", Resource=["*"])), BUCKET),
    "a Deny on one bucket": (
        policy(allow("s3:*"), deny("s3:*", Resource="arn:aws:s3:::a")), ALL),
    "a Deny under a condition": (
        policy(allow("s3:*"), deny("s3:*", Condition={"Bool": {"aws:x": "true"}})), ALL),
    "a Deny under an empty condition": (policy(allow("s3:*"), deny("s3:*", Condition={})), []),
    "a Deny of NotResource": (
        policy(allow("s3:*"), {"Effect": "Deny", "Action": "s3:*", "NotResource": "*"}), ALL),
    "a Deny of all but one": (
        policy(allow("*"), {"Effect": "Deny", "NotAction": "s3:DeleteBucket", "Resource": "*"}),
        BUCKET),
    "an escaped letter": (
        '{"Statement":{"Effect":"Allow","Action":"s3:\\u0044eleteBucket","Resource":"*"}}', BUCKET),
    "percent-encoded": (quote(json.dumps(policy(allow("s3:DeleteBucket"))), safe=""), BUCKET),
    "padded": (" " * 120_000 + json.dumps(policy(allow("s3:DeleteBucket"))), BUCKET),
    "no document": (None, ALL),
    "not an object": ("[]", ALL),
    "not JSON": ("{'Statement': []}", ALL),
    "empty": ("", ALL),
    "NaN": ('{"Statement": {"Effect": "Deny", "Action": "a:b", "Sid": NaN}}', ALL),
    "an action twice": (
        '{"Statement": {"Effect": "Allow", "Action": "s3:*", "Action": "a:b", "Resource": "*"}}',
        ALL),
    "too deep": ("[" * 200_000, ALL),
    "deep inside": ('{"Statement":' + '{"Condition":' * 100_000, ALL),
    "bad percent-encoding": ("%7B%FF", ALL),
    "no Statement": ({"Version": "2012-10-17"}, ALL),
    "an empty Statement": ({"Statement": []}, ALL),
    "statements in lower case": ({"statement": [allow("a:b")]}, ALL),
    "an effect in lower case": (policy({"Effect": "allow", "Action": "a:b"}), ALL),
    "an effect that is a list": (policy({"Effect": ["Allow"], "Action": "a:b"}), ALL),
    "an action beside itself in lower case": (policy(allow("a:b", action="s3:*")), ALL),
    "Action and NotAction": (policy(allow("a:b", NotAction="c:d")), ALL),
    "no Action": (policy({"Effect": "Allow", "Resource": "*"}), ALL),
    "an Action that is no text": (policy(allow(7)), ALL),
    "an Action in an object": (policy(allow({"a": "b"})), ALL),
    "an Action that is partly text": (policy(allow(["a:b", None])), ALL),
    "no action in the list": (policy(allow([])), ALL),
    "an action without a service": (policy(allow("DeleteBucket")), ALL),
    "an action with two colons": (policy(allow("s3:Delete:Bucket")), ALL),
    "a line break": (policy(allow("s3:DeleteBucket\n")), ALL),
    "a zero byte": (policy(allow("s3:Delete\0Bucket")), ALL),
    "a letter that only looks like one": (policy(allow("s3:D\u0435leteBucket")), ALL),
    "a long s, which upper case makes an S": (policy(allow("\u017f3:DeleteBucket")), ALL),
    "nonsense in a Deny": (policy(allow("a:b"), deny("nonsense")), ALL),
}  # fmt: skip


@pytest.mark.parametrize("reason", TRICKY)
def test_tricky_documents(reason: str):
    document, expected = TRICKY[reason]
    assert restricted_grants(document, RESTRICTED) == expected


@pytest.mark.parametrize("reason", [r for r, (d, _) in TRICKY.items() if isinstance(d, dict)])
def test_text_is_read_like_its_dict(reason: str):
    document, expected = TRICKY[reason]
    assert restricted_grants(json.dumps(document), RESTRICTED) == expected
    assert restricted_grants(quote(json.dumps(document), safe=""), RESTRICTED) == expected


WILD = [
    ("kms:*", policy(allow("kms:Encrypt")), True),
    ("kms:*", policy(allow("s3:*")), False),
    ("kms:*", policy(allow("k*:*")), True),
    ("ec2:Terminate*", policy(allow("ec2:*Instances")), True),
    ("ec2:Terminate*", policy(allow("ec2:T?rminate")), True),
    ("ec2:Terminate*", policy(allow("ec2:Describe*")), False),
    ("ec2:Terminate*", policy(allow("ec2:*"), deny("ec2:TerminateInstances")), True),
    ("ec2:Terminate*", policy(allow("ec2:*"), deny("ec2:Term*")), False),
    ("ec2:Terminate*", policy(allow("ec2:TerminateInstances"), deny("*:*Instances")), False),
    ("*", policy(allow("a:b")), True),
    ("*", policy(deny("a:b")), False),
    ("*", policy({"Effect": "Allow", "NotAction": "*", "Resource": "*"}), False),
    ("*", policy({"Effect": "Allow", "NotAction": "?*:?*", "Resource": "*"}), False),
    ("*", policy({"Effect": "Allow", "NotAction": ["?:*", "??*:?"], "Resource": "*"}), True),
    ("a:*", policy(allow("a:*"), deny(["a:?", "a:??*"])), False),
    ("nonsense", policy(allow("a:b")), True),
]


@pytest.mark.parametrize(("entry", "document", "granted"), WILD)
def test_restricted_entries_with_wildcards(entry: str, document: dict, granted: bool):
    assert restricted_grants(document, [entry]) == ([entry] if granted else [])


def test_the_answer_has_the_order_and_the_words_of_the_question():
    asked = ["s3:DELETEOBJECT", "iam:*", "s3:DeleteBucket"]
    assert restricted_grants(policy(allow("s3:*")), asked) == [asked[0], asked[2]]


def test_statements_are_named_with_what_they_grant():
    document = policy(
        allow("s3:Get*"), allow("s3:*", Sid="Wide"), deny("s3:DeleteObject"), allow("s3:DeleteB*")
    )
    assert grants_module.granting_statements(document, RESTRICTED) == [
        {"statement": "1 (Wide)", "grants": BUCKET},
        {"statement": "3", "grants": BUCKET},
    ]
    (only,) = grants_module.granting_statements("{", RESTRICTED)
    assert only["statement"].startswith("not understood: not JSON")
    assert only["grants"] == ALL


# --- the slow reading: try every name there is ---

LETTERS = "abz"  # no pattern below has a z, so it stands for every other letter
NAMES = [
    f"{service}:{''.join(action)}"
    for service in ("x", "y", "z", "zz")
    for length in range(1, 6)
    for action in product(LETTERS, repeat=length)
]


@cache
def matches(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return matches(pattern[1:], name) or (
            bool(name) and name[0] != ":" and matches(pattern, name[1:])
        )
    letter = bool(name) and (pattern[0] == name[0] or (pattern[0] == "?" and name[0] != ":"))
    return letter and matches(pattern[1:], name[1:])


def slow(document: dict, entry: str) -> bool:
    def concerns(statement: dict, name: str) -> bool:
        listed = statement.get("Action", statement.get("NotAction"))
        return any(matches(p.lower(), name) for p in listed) == ("Action" in statement)

    def said(name: str, effect: str) -> bool:
        return any(s["Effect"] == effect and concerns(s, name) for s in document["Statement"])

    names = (name for name in NAMES if matches(entry.lower(), name))
    return any(said(name, "Allow") and not said(name, "Deny") for name in names)


patterns = st.builds(
    "{}:{}".format,
    st.sampled_from(["x", "X", "y", "?", "*"]),
    st.text("abAB*?", min_size=1, max_size=3),
)
statements = st.builds(
    lambda effect, key, actions: {"Effect": effect, key: actions, "Resource": "*"},
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["Action", "Action", "NotAction"]),
    st.lists(patterns, min_size=1, max_size=3),
)
documents = st.builds(
    lambda found: {"Statement": found}, st.lists(statements, min_size=1, max_size=4)
)


@settings(max_examples=400, deadline=None)
@given(documents, patterns)
def test_it_agrees_with_trying_every_name(document: dict, entry: str):
    expected = [entry] if slow(document, entry) else []
    assert restricted_grants(document, [entry]) == expected


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ["Statement", "Effect", "Action", "NotAction", "Resource", "Condition", "x"]
            ),
            inner | st.sampled_from(["Allow", "Deny", "*", "s3:*"]),
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(anything | st.text().map(lambda text: "%7B" + text))
def test_it_never_raises(document: object):
    assert set(restricted_grants(document, RESTRICTED)) <= set(RESTRICTED)


SLOW_FOR_OTHERS = {
    "many stars": policy(allow("s3:" + "*a" * 50_000)),
    "many question marks": policy(allow("s3:" + "*?" * 50_000 + "b")),
    "many actions": policy(allow([f"s3:Get{n}" for n in range(5_000)])),
    "many denials": policy(allow("s3:*"), deny([f"s3:*{n}*{n}" for n in range(200)])),
    "many exceptions": policy(
        {"Effect": "Allow", "NotAction": [f"*:*{n}?*" for n in range(200)], "Resource": "*"}
    ),
    "one of each length": policy(allow("s3:*"), deny([f"s3:{'?' * n}a*" for n in range(60)])),
}


@pytest.mark.parametrize("reason", SLOW_FOR_OTHERS)
def test_no_pattern_makes_it_hang(reason: str):
    entries = ["s3:DeleteBucket", "s3:*", "*", "*:*a*a*a*a*a*a*a*a*b"]
    started = time.process_time()
    restricted_grants(SLOW_FOR_OTHERS[reason], entries)
    # Not a measurement: backtracking would take years.
    assert time.process_time() - started < 20
