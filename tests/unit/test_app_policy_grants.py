"""What counts as granted: tricky documents one by one, and random ones against a slow reading."""

import faulthandler
import json
import re
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import product
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.iam.aws_managed_policies import aws_managed_policies_data

from tests.unit.test_app_template import load

grants_module = load("validate_policy.policy_grants")
restricted_grants = grants_module.restricted_grants
granting_statements = grants_module.granting_statements
RESTRICTED = ["s3:DeleteBucket", "s3:DeleteObject"]
BUCKET = ["s3:DeleteBucket"]
ALL = RESTRICTED
CONDITION = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def allow(action, /, **more) -> dict:
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


def deny(action, /, **more) -> dict:
    return {"Effect": "Deny", "Action": action, "Resource": "*", **more}


def all_but(effect: str, action) -> dict:
    return {"Effect": effect, "NotAction": action, "Resource": "*"}


def policy(*statements) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def encoded(document: dict) -> str:
    return quote(json.dumps(document), safe="")


TRICKY = {
    # 1. an Allow counts whatever else it says
    "an exact action": (policy(allow("s3:DeleteBucket")), BUCKET),
    "a longer action": (policy(allow("s3:DeleteBucketPolicy")), []),
    "a shorter action": (policy(allow("s3:Delete")), []),
    "a list": (policy(allow(["s3:GetObject", "s3:DeleteBucket"])), BUCKET),
    "a second statement": (policy(allow("s3:GetObject"), allow("s3:DeleteBucket")), BUCKET),
    "one statement without a list": ({"Statement": allow("s3:DeleteBucket")}, BUCKET),
    "a harmless resource": (policy(allow("s3:DeleteBucket", Resource="arn:aws:s3:::mine")), BUCKET),
    "no resource at all": (policy({"Effect": "Allow", "Action": "s3:DeleteBucket"}), BUCKET),
    "NotResource": (
        policy({"Effect": "Allow", "Action": "s3:DeleteBucket", "NotResource": "*"}), BUCKET),
    "a condition": (policy(allow("s3:DeleteBucket", Condition=CONDITION)), BUCKET),
    "a condition that cannot be read": (policy(allow("s3:DeleteBucket", Condition=7)), BUCKET),
    "the older version of the language": (
        {"Version": "2008-10-17", "Statement": [allow("s3:DeleteBucket")]}, BUCKET),
    "an Id, which IAM takes in other policies": (
        {"Id": "x", "Statement": [allow("s3:DeleteBucket")]}, BUCKET),
    "a principal, which IAM takes in other policies": (
        policy(allow("s3:GetObject", Principal="*")), []),
    # 2. what a pattern matches
    "the case does not matter": (policy(allow("S3:deletebucket")), BUCKET),
    "everything": (policy(allow("*")), ALL),
    "everything, in a list": (policy(allow(["a:b", "*"])), ALL),
    "every action of every service": (policy(allow("*:*")), ALL),
    "every action of the service": (policy(allow("s3:*")), ALL),
    "every action of another service": (policy(allow("s3control:*")), []),
    "a wildcard in the service": (policy(allow("s?:DeleteB*")), BUCKET),
    "a wildcard that stays on its side": (policy(allow("s*:Object")), []),
    "a star over the colon": (policy(allow("s*t:*")), []),
    "a question mark for the colon": (policy(allow("s3?DeleteBucket:x")), []),
    "a question mark is exactly one": (policy(allow("s3:DeleteBucket?")), []),
    "a star is also none": (policy(allow("s3:DeleteBucket*")), BUCKET),
    "stars in a row": (policy(allow("s3:***Bucket")), BUCKET),
    "stars and question marks": (policy(allow("s3:*?*?*Bucke?")), BUCKET),
    "more question marks than letters": (policy(allow("s3:" + "*?" * 13)), []),
    "as many question marks as letters": (policy(allow("s3:" + "?*" * 12)), ALL),
    "an end that comes once": (policy(allow("s3:*Bucket*Bucket")), []),
    "a part that comes twice": (policy(allow("s3:De*eteBucket")), BUCKET),
    "regular expressions mean nothing": (policy(allow("s3:Delete.+")), []),
    "brackets mean nothing": (policy(allow("s3:[D]eleteBucket")), []),
    "a space is a letter": (policy(allow(["s3:DeleteBucket ", " s3:DeleteObject"])), []),
    "NotAction": (policy(all_but("Allow", "iam:*")), ALL),
    "NotAction of one": (policy(all_but("Allow", ["s3:DeleteObject"])), BUCKET),
    "NotAction of all": (policy(all_but("Allow", "s3:*")), []),
    "two NotActions, one for each": (
        policy(all_but("Allow", "s3:DeleteObject"), all_but("Allow", "s3:DeleteBucket")), ALL),
    # 3. what a Deny takes away
    "only a Deny": (policy(deny("s3:GetObject")), []),
    "a Deny takes away": (policy(allow("s3:*"), deny("s3:DeleteObject")), BUCKET),
    "a Deny takes away from what follows": (policy(deny("s3:DeleteObject"), allow("s3:*")), BUCKET),
    "two Denies": (policy(deny("s3:*Object"), allow("s3:*"), deny("s3:*Bucket")), []),
    "a Deny of a list of resources": (
        policy(allow("s3:*"), deny("s3:DeleteObject", Resource=["*"])), BUCKET),
    "a Deny on everything, among other resources": (
        policy(allow("s3:*"), deny("s3:DeleteObject", Resource=["arn:aws:s3:::a", "*"])), BUCKET),
    "a Deny on one bucket": (policy(allow("s3:*"), deny("s3:*", Resource="arn:aws:s3:::a")), ALL),
    "a Deny on every bucket": (policy(allow("s3:*"), deny("s3:*", Resource="arn:aws:s3:::*")), ALL),
    "a Deny on two stars, which is not the way to write it": (
        policy(allow("s3:*"), deny("s3:*", Resource="**")), ALL),
    "a Deny on nothing": (policy(allow("s3:*"), deny("s3:*", Resource=[])), ALL),
    "a Deny without a resource": (
        policy(allow("s3:*"), {"Effect": "Deny", "Action": "s3:*"}), ALL),
    "a Deny of NotResource": (
        policy(allow("s3:*"), {"Effect": "Deny", "Action": "s3:*", "NotResource": "*"}), ALL),
    "a Deny of Resource and NotResource": (
        policy(allow("s3:*"), deny("s3:*", NotResource="arn:aws:s3:::a")), ALL),
    "a Deny under a condition": (policy(allow("s3:*"), deny("s3:*", Condition=CONDITION)), ALL),
    "a Deny under an empty condition": (policy(allow("s3:*"), deny("s3:*", Condition={})), []),
    "a Deny under a condition of nothing": (
        policy(allow("s3:*"), deny("s3:*", Condition={"Bool": {}})), ALL),
    "a Deny under a null": (policy(allow("s3:*"), deny("s3:*", Condition=None)), ALL),
    "a Deny of all but one": (policy(allow("*"), all_but("Deny", "s3:DeleteBucket")), BUCKET),
    "two Denies of all but one leave nothing": (
        policy(allow("*"), all_but("Deny", "s3:DeleteBucket"), all_but("Deny", "s3:DeleteObject")),
        []),
    "a Deny of all but one, under a condition": (
        policy(allow("*"), {**all_but("Deny", "a:b"), "Condition": CONDITION}), ALL),
    # 5. JSON, read strictly
    "no document": (None, ALL),
    "a number": ("7", ALL),
    "a list of statements": (json.dumps([allow("a:b")]), ALL),
    "JSON in a JSON text": (json.dumps(json.dumps(policy(allow("a:b")))), ALL),
    "not JSON": ("{'Statement': []}", ALL),
    "empty": ("", ALL),
    "cut off": (json.dumps(policy(allow("a:b")))[:-1], ALL),
    "something behind it": (json.dumps(policy(allow("a:b"))) + "}", ALL),
    "a byte order mark": ("\ufeff" + json.dumps(policy(allow("a:b"))), ALL),
    "a comma too much": ('{"Statement": {"Effect": "Allow", "Action": "a:b",}}', ALL),
    "a comment": ('{"Statement": {"Effect": "Allow", "Action": "a:b"}} // harmless', ALL),
    "NaN": ('{"Statement": {"Effect": "Deny", "Action": "a:b", "Sid": NaN}}', ALL),
    "Infinity": ('{"Statement": {"Effect": "Deny", "Action": "a:b", "Sid": -Infinity}}', ALL),
    "a number of 5,000 digits": (
        '{"Statement": {"Effect": "Allow", "Action": "a:b", "Sid": ' + "9" * 5_000 + "}}", ALL),
    "digits of another script": (
        '{"Statement": {"Effect": "Allow", "Action": "a:b", "Sid": \u0661}}', ALL),
    "a raw line break in a text": (
        '{"Statement": {"Effect": "Allow", "Action": "a:b", "Sid": "\n"}}', ALL),
    "an action twice": (
        '{"Statement": {"Effect": "Allow", "Action": "s3:*", "Action": "a:b", "Resource": "*"}}',
        ALL),
    "an action twice, once escaped": (
        '{"Statement": {"Effect": "Allow", "\\u0041ction": "s3:*", "Action": "a:b"}}', ALL),
    "two lists of statements": ('{"Statement": [], "Statement": [], "Version": "x"}', ALL),
    "a key twice, deep in a condition": (
        '{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": '
        '{"Bool": {"aws:SecureTransport": "true", "aws:SecureTransport": "false"}}}}', ALL),
    "too deep": ("[" * 200_000, ALL),
    "deep inside": ('{"Statement":' + '{"Condition":' * 100_000, ALL),
    "an escaped letter": (
        '{"Statement":{"Effect":"Allow","Action":"s3:\\u0044eleteBucket","Resource":"*"}}', BUCKET),
    "half a letter, where it does no harm": (
        '{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Sid":"\\ud800"}}', []),
    "padded": (" " * 120_000 + json.dumps(policy(allow("s3:DeleteBucket"))), BUCKET),
    "percent-encoded": (encoded(policy(allow("s3:DeleteBucket"))), BUCKET),
    "percent-encoded in lower case": (
        encoded(policy(allow("s3:*Bucket"))).replace("%7B", "%7b"), BUCKET),
    "percent-encoded behind a line break": (
        "%0A" + encoded(policy(allow("s3:DeleteBucket"))), BUCKET),
    "percent-encoded only where it must be": (
        quote(json.dumps(policy(allow("s3:DeleteBucket"))), safe='":, []'), BUCKET),
    "percent-encoded twice": (quote(encoded(policy(allow("a:b")))), ALL),
    "bad percent-encoding": ("%7B%FF", ALL),
    "bad percent-encoding where it does no harm": (
        encoded(policy(allow("a:b", Sid="x"))).replace("x", "%FF"), ALL),
    "only a percent sign": ("%", ALL),
    "a percent sign that encodes nothing": (
        json.dumps(policy(allow("s3:%44eleteBucket", Resource="arn:aws:s3:::a%2Fb"))), []),
    # 5. elements and their values
    "no Statement": ({"Version": "2012-10-17"}, ALL),
    "an empty Statement": ({"Statement": []}, ALL),
    "a Statement that is null": ({"Statement": None}, ALL),
    "a Statement that is text": ({"Statement": "Allow"}, ALL),
    "a statement that is empty": (policy({}), ALL),
    "a statement that is null": (policy(allow("a:b"), None), ALL),
    "a statement in a list of its own": (policy([allow("a:b")]), ALL),
    "statements in lower case": ({"statement": [allow("a:b")]}, ALL),
    "an unknown element": ({"Statement": [allow("a:b")], "Statements": []}, ALL),
    "an unknown element of a statement": (policy(allow("a:b", Actions="s3:*")), ALL),
    "an action beside itself in lower case": (policy(allow("a:b", action="s3:*")), ALL),
    "no effect": (policy({"Action": "a:b", "Resource": "*"}), ALL),
    "an effect in lower case": (policy(allow("a:b", Effect="allow")), ALL),
    "an effect with a space": (policy(allow("a:b", Effect="Deny ")), ALL),
    "an effect that is a list": (policy(allow("a:b", Effect=["Allow"])), ALL),
    "an effect that is true": (policy(allow("a:b", Effect=True)), ALL),
    "Action and NotAction, neither of which grants it": (policy(allow("a:b", NotAction="*")), ALL),
    "Action and NotAction of everything": (policy(allow("*", NotAction="*")), ALL),
    "no Action": (policy({"Effect": "Allow", "Resource": "*"}), ALL),
    "no Action in a Deny": (policy(allow("a:b"), {"Effect": "Deny", "Resource": "*"}), ALL),
    "an Action that is no text": (policy(allow(7)), ALL),
    "an Action that is null": (policy(allow(None)), ALL),
    "a NotAction that is null": (policy(all_but("Deny", None)), ALL),
    "an Action in an object": (policy(allow({"a": "b"})), ALL),
    "an Action that is partly text": (policy(allow(["a:b", None])), ALL),
    "a list in the list": (policy(allow(["a:b", ["c:d"]])), ALL),
    "one wrong action among a thousand": (policy(allow([*["a:b"] * 999, "ab"])), ALL),
    # 5. an action is a service, one colon and a name, and a list has one or more:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    "no action in the list": (policy(allow([])), ALL),
    "an empty action": (policy(allow("")), ALL),
    "an action without a service": (policy(allow("DeleteBucket")), ALL),
    "an action with an empty service": (policy(allow(":DeleteBucket")), ALL),
    "an action with an empty name": (policy(allow("s3:")), ALL),
    "two stars are not one": (policy(allow("**")), ALL),
    "an action with two colons": (policy(allow("s3:Delete:Bucket")), ALL),
    "a line break": (policy(allow("s3:DeleteBucket\n")), ALL),
    "a line break between two actions": (policy(allow("a:b\ns3:DeleteBucket")), ALL),
    "a tab": (policy(allow("s3:\tDeleteBucket")), ALL),
    "a zero byte": (policy(allow("s3:Delete\0Bucket")), ALL),
    "a delete sign": (policy(allow("s3:Delete\x7fBucket")), ALL),
    "a letter that only looks like one": (policy(allow("s3:D\u0435leteBucket")), ALL),
    "a long s, which upper case makes an S": (policy(allow("\u017f3:DeleteBucket")), ALL),
    "a wide colon": (policy(allow("s3\uff1aDeleteBucket")), ALL),
    "half a letter": (policy(allow("s3:Delete\ud800")), ALL),
    "nonsense in a Deny": (policy(allow("a:b"), deny("nonsense")), ALL),
    "nonsense in a Deny that does not count": (
        policy(allow("a:b"), deny("nonsense", Condition=CONDITION)), ALL),
}  # fmt: skip


@pytest.mark.parametrize("reason", TRICKY)
def test_tricky_documents(reason: str):
    document, expected = TRICKY[reason]
    assert restricted_grants(document, RESTRICTED) == expected


@pytest.mark.parametrize("reason", [r for r, (d, _) in TRICKY.items() if isinstance(d, dict)])
def test_text_is_read_like_its_dict(reason: str):
    document, expected = TRICKY[reason]
    assert restricted_grants(json.dumps(document), RESTRICTED) == expected
    assert restricted_grants(encoded(document), RESTRICTED) == expected


def deep(levels: int = 100_000) -> list:
    nested: list = []
    for _ in range(levels):
        nested = [nested]
    return nested


ODD = {
    "true": (True, ALL),
    "bytes": (json.dumps(policy(allow("a:b"))).encode(), ALL),
    "a list": ([allow("a:b")], ALL),
    "an object": (object(), ALL),
    "keys that are no texts": ({7: 8, "Statement": [allow("a:b")]}, ALL),
    "statements in a tuple": ({"Statement": (allow("a:b"),)}, ALL),
    "actions in a tuple": (policy(allow(("a:b",))), ALL),
    "an action in bytes": (policy(allow(b"a:b")), ALL),
    "an action that is deep": (policy(allow(deep())), ALL),
    "an action that is a huge number": (policy(allow(10**5_000)), ALL),
    "a Sid that is a huge number": (policy(allow("s3:*Bucket", Sid=10**5_000)), BUCKET),
    "a Sid that is deep": (policy(allow("s3:*Bucket", Sid=deep())), BUCKET),
    "a Resource that is deep": (policy(allow("s3:*"), deny("*", Resource=deep())), ALL),
    "a Condition that is deep": (policy(allow("s3:*"), deny("*", Condition=deep())), ALL),
    "a dict of another class": (OrderedDict(policy(allow("s3:*Bucket"))), BUCKET),
    "a dict that makes up what it has not": (
        policy(defaultdict(lambda: "s3:*", allow("s3:*Bucket"))), BUCKET),
}  # fmt: skip


@pytest.mark.parametrize("reason", ODD)
def test_odd_objects(reason: str):
    document, expected = ODD[reason]
    assert restricted_grants(document, RESTRICTED) == expected
    assert [found["grants"] for found in granting_statements(document, RESTRICTED)] == [expected]


WILD = [
    ("kms:*", policy(allow("kms:Encrypt")), True),
    ("kms:*", policy(allow("kms:NobodyKnowsThis")), True),
    ("kms:*", policy(allow("s3:*")), False),
    ("kms:*", policy(allow("k*:*")), True),
    ("KMS:*", policy(allow("kms:encrypt")), True),
    ("kms:*", policy(allow("*"), deny("kms:*")), False),
    ("kms:*", policy(allow("*"), deny(["kms:Encrypt", "kms:D*"])), True),
    ("kms:*", policy(allow("*"), deny("*:*")), False),
    ("kms:*", policy(all_but("Allow", ["kms:*", "iam:*"])), False),
    ("kms:*", policy(all_but("Allow", ["kms:D*", "kms:E*"])), True),
    ("kms:*", policy(allow("*"), all_but("Deny", "s3:*")), False),
    ("kms:*", policy(allow("*"), all_but("Deny", "kms:Encrypt")), True),
    ("kms:*", policy(allow("kms:D*"), all_but("Deny", "kms:E*")), False),
    ("ec2:Terminate*", policy(allow("ec2:*Instances")), True),
    ("ec2:Terminate*", policy(allow("ec2:T?rminate")), True),
    ("ec2:Terminate*", policy(allow("ec2:Termin")), False),
    ("ec2:Terminate*", policy(allow("ec2:Describe*")), False),
    ("ec2:Terminate*", policy(allow("ec2:*"), deny("ec2:TerminateInstances")), True),
    ("ec2:Terminate*", policy(allow("ec2:*"), deny("ec2:Term*")), False),
    ("ec2:Terminate*", policy(allow("ec2:TerminateInstances"), deny("*:*Instances")), False),
    ("ec2:Terminate?", policy(allow("ec2:Terminate")), False),
    ("e?2:*", policy(allow("ec2:Run")), True),
    ("*:Delete*", policy(allow("*:*Bucket")), True),
    ("*", policy(allow("a:b")), True),
    ("*", policy(deny("a:b")), False),
    ("*", policy(all_but("Allow", "*")), False),
    ("*", policy(all_but("Allow", "?*:?*")), False),
    ("*", policy(all_but("Allow", ["?:*", "??*:?"])), True),
    ("*", policy(all_but("Allow", "a:*"), all_but("Deny", "a:*")), False),
    ("a:*", policy(allow("a:*"), deny(["a:?", "a:??*"])), False),
    ("a:*", policy(allow("a:*"), deny(["a:?", "a:???*"])), True),
    ("a:*", policy(allow(["a:x*", "a:y*"]), deny("a:x*"), deny("a:y*")), False),
    # Every letter that a pattern names is denied, but there are others.
    ("a:*", policy(allow("a:*"), deny([f"a:{letter}*" for letter in "abcxyz"])), True),
    # What is no action may mean any.
    ("nonsense", policy(allow("a:b")), True),
    ("s3:a:b", policy(allow("a:b")), True),
    ("nonsense", policy(deny("a:b")), False),
]


@pytest.mark.parametrize(("entry", "document", "granted"), WILD)
def test_restricted_entries_with_wildcards(entry: str, document: dict, granted: bool):
    assert restricted_grants(document, [entry]) == ([entry] if granted else [])


def test_the_answer_has_the_order_and_the_words_of_the_question():
    asked = ["s3:DELETEOBJECT", "iam:*", "s3:DeleteBucket", "s3:DELETEOBJECT"]
    assert restricted_grants(policy(allow("s3:*")), asked) == [asked[0], asked[2], asked[3]]
    assert restricted_grants(policy(allow("*")), []) == []


def test_statements_are_named_with_what_they_grant():
    document = policy(
        allow("s3:Get*"), allow("s3:*", Sid="Wide"), deny("s3:DeleteObject"), allow("s3:DeleteB*")
    )
    assert granting_statements(document, [*RESTRICTED, "s3:D*"]) == [
        {"statement": "1 (Wide)", "grants": ["s3:DeleteBucket", "s3:D*"]},
        {"statement": "3", "grants": ["s3:DeleteBucket", "s3:D*"]},
    ]
    (only,) = granting_statements("{", RESTRICTED)
    assert only["statement"].startswith("not understood: not JSON")
    assert only["grants"] == ALL


def test_a_parameter_is_read_in_its_order_and_once():
    text = " s3:DeleteObject,kms:*,, s3:DeleteObject ,*,"
    assert grants_module.parse_restricted(text) == ["s3:DeleteObject", "kms:*", "*"]


@pytest.mark.parametrize(
    "text",
    ["", " ", ",", "DeleteBucket", "s3:", ":x", "**", "s3:a;s3:b", "s3:a:b", "s3:a,b", "s3: a",
     "s3:a s3:b", "s3:a\ns3:b", "s3:\u0430"],
)  # fmt: skip
def test_a_parameter_that_cannot_be_read_stops_the_function(text: str):
    with pytest.raises(grants_module.NotUnderstoodError, match="restrictedActions"):
        grants_module.parse_restricted(text)


# --- the slow reading: try the names there are ---


@cache
def regex(pattern: str) -> re.Pattern:
    meant = "*:*" if pattern == "*" else pattern.lower()
    signs = {"*": "[^:]*", "?": "[^:]"}
    return re.compile("".join(signs.get(sign, re.escape(sign)) for sign in meant))


def counts(statement: dict) -> bool:
    return statement["Effect"] == "Allow" or (
        statement.get("Resource") in ("*", ["*"], ["arn:aws:s3:::a", "*"])
        and "NotResource" not in statement
        and statement.get("Condition", {}) == {}
    )


def granted(document: dict, name: str) -> bool:
    """Tell whether the document grants one name in lower case: the rules, word by word."""

    def says(effect: str) -> bool:
        return any(
            any(regex(action).fullmatch(name) for action in listed) == ("Action" in statement)
            for statement in document["Statement"]
            if statement["Effect"] == effect and counts(statement)
            for listed in [statement.get("Action", statement.get("NotAction"))]
        )

    return says("Allow") and not says("Deny")


# The random patterns' actions have up to three signs, a, b and wildcards. Whether such a pattern
# matches depends on the first two and the last two letters, on whether there is an a and a b in
# between, and on the length up to three: no name needs more than six letters. The services have up
# to two signs, where three letters are enough. z stands for all other letters.
def texts(letters: str, longest: int) -> list[str]:
    lengths = range(1, longest + 1)
    return ["".join(text) for length in lengths for text in product(letters, repeat=length)]


SERVICES, ACTIONS = tuple(texts("xyz", 3)), tuple(texts("abz", 6))


@cache
def matched(side: str, among: tuple[str, ...]) -> list[bool]:
    return [bool(regex(side).fullmatch(text)) for text in among]


def kinds(among: tuple[str, ...], sides: list[str]) -> list[str]:
    """Keep one text of those that the same sides match."""
    each = zip(*(matched(side, among) for side in sides), strict=True)
    return list(dict(zip(each, among, strict=True)).values())


def names(document: dict, entry: str) -> Iterator[str]:
    lists = [[entry], *(s.get("Action", s.get("NotAction")) for s in document["Statement"])]
    patterns = {"*:*" if p == "*" else p.lower() for listed in lists for p in listed}
    services, actions = zip(*(pattern.split(":") for pattern in patterns), strict=True)
    every = product(kinds(SERVICES, list(services)), kinds(ACTIONS, list(actions)))
    return (name for name in map(":".join, every) if regex(entry).fullmatch(name))


def patterns(letters: str, longest: int) -> st.SearchStrategy[str]:
    sides = (
        st.text("xyXY*?", min_size=1, max_size=2),
        st.text(letters, min_size=1, max_size=longest),
    )
    return st.builds("{}:{}".format, *sides) | st.sampled_from(["*", "*:*", "x:*"])


def documents(actions: st.SearchStrategy[str]) -> st.SearchStrategy[dict]:
    limits = {
        "Resource": st.sampled_from(["*", "*", "*", ["*"], ["arn:aws:s3:::a", "*"], "**", "a"]),
    }
    more = {
        "Condition": st.sampled_from([{}, {}, CONDITION, {"Bool": {}}, None]),
        "NotResource": st.just("arn:aws:s3:::a"),
        "Sid": st.just("x"),
    }
    listed = st.lists(actions, min_size=1, max_size=3)
    key = st.sampled_from(["Action", "Action", "NotAction"])
    statements = st.builds(
        lambda effect, key, actions, rest: {"Effect": effect, key: actions, **rest},
        st.sampled_from(["Allow", "Allow", "Deny"]),
        key,
        listed,
        st.fixed_dictionaries(limits) | st.fixed_dictionaries(limits, optional=more),
    )
    return st.builds(lambda found: policy(*found), st.lists(statements, min_size=1, max_size=4))


FORMS = [lambda document: document, json.dumps, encoded, lambda d: json.dumps(d, indent=9)]
forms = st.sampled_from(FORMS)


@settings(max_examples=400, deadline=None)
@given(documents(patterns("abAB*?", 3)), patterns("abAB*?", 3), forms)
def test_it_agrees_with_trying_every_name(document: dict, entry: str, form):
    expected = any(granted(document, name) for name in names(document, entry))
    assert restricted_grants(form(document), [entry]) == ([entry] if expected else [])


long_patterns = patterns("ab*?", 12)
long_names = st.builds(
    "{}:{}".format,
    st.text("xy", min_size=1, max_size=2),
    st.text("ab", min_size=1, max_size=12),
)


@settings(max_examples=400, deadline=None)
@given(documents(long_patterns), st.lists(long_names, min_size=1, max_size=5), forms)
def test_long_patterns_grant_the_names_that_the_rules_say(document: dict, asked: list, form):
    expected = [name for name in asked if granted(document, name)]
    assert restricted_grants(form(document), [name.upper() for name in asked]) == [
        name.upper() for name in expected
    ]


@settings(max_examples=400, deadline=None)
@given(documents(long_patterns), long_names, st.data())
def test_an_entry_is_granted_when_a_name_of_it_is(document: dict, name: str, data):
    hidden = [data.draw(st.sampled_from([sign, "?"])) if sign != ":" else sign for sign in name]
    entry = re.sub(r"\?\?+", "*", "".join(hidden))
    assert regex(entry).fullmatch(name)
    if granted(document, name):
        assert restricted_grants(document, [entry]) == [entry]


@settings(max_examples=200, deadline=None)
@given(documents(patterns("ab*?", 4)), st.lists(patterns("ab*?", 4), max_size=4), st.randoms())
def test_order_and_letter_case_do_not_matter(document: dict, asked: list, random):
    shuffled = json.loads(json.dumps(document))
    random.shuffle(shuffled["Statement"])
    for statement in shuffled["Statement"]:
        for key in {"Action", "NotAction"} & statement.keys():
            random.shuffle(statement[key])
            statement[key] = [action.swapcase() for action in statement[key]]
    expected = restricted_grants(document, asked)
    assert restricted_grants(shuffled, asked) == expected
    assert expected == [entry for entry in asked if restricted_grants(document, [entry])]


@settings(max_examples=200, deadline=None)
@given(documents(patterns("ab*?", 4)), st.lists(patterns("ab*?", 4), max_size=4, unique=True))
def test_a_statement_grants_what_it_would_with_the_denies_alone(document: dict, asked: list):
    statements = document["Statement"]
    denies = [statement for statement in statements if statement["Effect"] == "Deny"]
    expected = [
        restricted_grants(policy(statement, *denies), asked)
        for statement in statements
        if statement["Effect"] == "Allow"
    ]
    found = granting_statements(document, asked)
    assert [statement["grants"] for statement in found] == [grants for grants in expected if grants]


REAL = [found["Document"] for found in json.loads(aws_managed_policies_data).values()]


@pytest.mark.parametrize(
    "name", ["s3:DeleteBucket", "ec2:TerminateInstances", "iam:PassRole", "kms:Decrypt"]
)
def test_the_policies_that_aws_manages_are_judged_like_the_slow_reading_does(name: str):
    listed = [
        {**document, "Statement": statements if isinstance(statements, list) else [statements]}
        for document in REAL
        for statements in [document["Statement"]]
    ]
    for document in listed:
        for statement in document["Statement"]:
            for key in {"Action", "NotAction"} & statement.keys():
                if isinstance(statement[key], str):
                    statement[key] = [statement[key]]
    expected = [granted(document, name.lower()) for document in listed]
    assert [bool(restricted_grants(document, [name])) for document in REAL] == expected
    assert 0 < sum(expected) < len(REAL)


# --- it never raises ---

letters = st.text(st.characters(exclude_categories=()))
keys = ["Version", "Statement", "Effect", "Action", "NotAction", "Resource", "Condition", "Sid"]
values = ["Allow", "Deny", "*", "s3:*", "s3:DeleteBucket", [], {}, [None], 10**5_000]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | letters | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(keys) | letters, inner | st.sampled_from(values))
    ),
    max_leaves=20,
)
statement_like = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": st.sampled_from(values) | letters},
    optional={"Resource": anything, "Condition": anything, "Sid": anything},
)
near = st.builds(lambda *found: {"Statement": list(found)}, statement_like, statement_like)


@settings(max_examples=300, deadline=None)
@given(anything | near | letters.map(lambda text: "%7B" + text), st.lists(letters))
def test_it_never_raises(document: object, entries: list):
    asked = [*RESTRICTED, "s3:*", *entries]
    assert set(restricted_grants(document, asked)) <= set(asked)
    for found in granting_statements(document, asked):
        assert set(found["grants"]) <= set(asked)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_text_grants_everything_or_what_it_says(data):
    text = json.dumps(policy(allow("s3:GetObject"), deny("s3:*")))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    damaged = text[:start] + data.draw(letters) + text[end:]
    try:
        json.loads(damaged)
    except ValueError:
        assert restricted_grants(damaged, RESTRICTED) == ALL


# --- it is never slow ---

# IAM takes 6,144 characters: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LONG = 100_000
NUMBERS = range(5_000)
ENTRIES = ["s3:DeleteBucket", "s3:Delete*", "*:*a*a*a*a*a*a*a*a*b", "*"]
NONE, EXACT, EVERY = [], ENTRIES[:1], ENTRIES
HEAVY = {
    "many stars": (policy(allow("s3:" + "*a" * (LONG // 2))), ENTRIES[:1], NONE),
    "as many stars as IAM takes": (policy(allow("s3:" + "*a" * 3_000)), ENTRIES[::2], NONE),
    "many question marks": (policy(allow("s3:" + "*?" * (LONG // 2) + "b")), ENTRIES[:1], NONE),
    "stars in a row": (policy(allow("s3:" + "*" * LONG + "DeleteBucket")), EVERY,
        [*ENTRIES[:2], "*"]),
    "many actions": (policy(allow([f"s3:Get{n}" for n in NUMBERS])), ENTRIES[:2], NONE),
    "many actions that are all denied": (
        policy(allow([f"s3:Delete{n}" for n in NUMBERS]), deny("s3:*")), EVERY, NONE),
    "many actions that are denied one by one": (
        policy(*(e([f"s3:Delete{n}" for n in range(200)]) for e in (allow, deny))), EVERY, NONE),
    "many patterns with stars": (
        policy(allow("*"), deny([f"*:*{n}*{n}*" for n in NUMBERS])), EVERY, EVERY),
    "many exceptions": (policy(all_but("Allow", [f"*:*{n}?*" for n in NUMBERS])), EVERY, EVERY),
    "many statements": (policy(*(allow(f"s3:*{n}*") for n in range(1_000))), ENTRIES[:1], NONE),
    "many denials of one each": (
        policy(allow("s3:*"), *(deny(f"s3:*{n}*") for n in range(1_000))), ENTRIES[:1], EXACT),
    "one of each length": (
        policy(allow("s3:*"), deny([f"s3:{'?' * n}a*" for n in range(60)])), EVERY, EVERY),
    "all lengths": (
        policy(allow("s3:*"), deny([*(f"s3:{'?' * n}" for n in range(1, 99)), f"s3:{'?' * 99}*"])),
        EVERY, NONE),
    "many restricted actions": (
        policy(*(allow(f"s3:x{n}*{n}") for n in range(100)), *(deny(f"*:*{n}") for n in range(9))),
        [f"s3:Delete{n}" for n in NUMBERS], NONE),
}  # fmt: skip


@pytest.fixture
def _not_for_ever() -> Iterator[None]:
    """End a run that hangs; nothing here is decided by how long it takes."""
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.usefixtures("_not_for_ever")
@pytest.mark.parametrize("reason", HEAVY)
def test_no_document_makes_it_hang(reason: str):
    document, asked, expected = HEAVY[reason]
    assert restricted_grants(document, asked) == expected


# 2**30 names have to be told apart to see that the one takes away what the other gives.
TOO_MANY_NAMES = policy(allow("s3:*a" + "?" * 30), deny("s3:*a" + "?" * 30))


@pytest.mark.usefixtures("_not_for_ever")
def test_names_that_are_too_many_count_as_granted():
    asked = [*(f"s3:*{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"), "s3:DeleteBucket"]
    assert restricted_grants(TOO_MANY_NAMES, asked) == asked[:-1]
    assert granting_statements(TOO_MANY_NAMES, asked) == [{"statement": "0", "grants": asked[:-1]}]
