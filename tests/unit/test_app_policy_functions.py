"""ValidatePolicy, RevertPolicy and PolicyChangerApprove against an IAM that moto plays."""

import itertools
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import patch_client

from tests.unit.test_app_template import load, sample

managed_policy = load("managed_policy")
validate_policy = load("validate_policy.app")
revert_policy = load("revert_policy.app")
approve = load("policy_changer_approve.app")
restricted_grants = load("validate_policy.policy_grants").restricted_grants

GOOD = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}'
BAD = """{ "Version": "2012-10-17",
  "Statement": [ {"Effect":"Allow","Action":"s3:*","Resource":"*"} ]   }"""
PLACEHOLDER = managed_policy.PLACEHOLDER


@pytest.fixture(autouse=True)
def iam() -> Iterator:
    with mock_aws():
        patch_client(managed_policy.iam)  # it may have been made before moto was imported
        yield managed_policy.iam


def create(iam, *documents: str, default: int = 1) -> str:
    """Create the policy of the sample event with these versions, the one in force last."""
    first, *others = documents
    name = "my-bad-policy-aws-5-mins"
    arn = iam.create_policy(PolicyName=name, PolicyDocument=first)["Policy"]["Arn"]
    for document in others:
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document)
    if default != 1:  # moto would take the one that is default already away
        iam.set_default_policy_version(PolicyArn=arn, VersionId=f"v{default}")
    return arn


def event(name: str = "CreatePolicy", version: str = "v1") -> dict:
    """Return the state as it is after ModifyState, for one of the three calls."""
    state = sample("validate_policy")
    arn = state["detail"]["responseElements"]["policy"]["arn"]
    state["incident"]["eventName"] = state["detail"]["eventName"] = name
    if name == "CreatePolicyVersion":
        state["detail"]["requestParameters"] = {"policyArn": arn, "setAsDefault": True}
        state["detail"]["responseElements"] = {"policyVersion": {"versionId": version}}
    if name == "SetDefaultPolicyVersion":
        state["detail"]["requestParameters"] = {"policyArn": arn, "versionId": version}
        state["detail"]["responseElements"] = None
    return state


def judge(state: dict) -> dict:
    return validate_policy.lambda_handler(state, None)


def quarantine(state: dict) -> dict:
    """Do what the state machine does up to the question; through JSON, as the state goes."""
    state = json.loads(json.dumps({**state, "validation": judge(state)}))
    return json.loads(json.dumps(revert_policy.lambda_handler(state, None)))


def texts(arn: str) -> dict[str, str]:
    return {v.id: managed_policy.text_of(arn, v.id) for v in managed_policy.versions_of(arn)}


def in_force(arn: str) -> str:
    default = managed_policy.default_of(managed_policy.versions_of(arn))
    return managed_policy.text_of(arn, default.id)


def refuse(monkeypatch: pytest.MonkeyPatch, operation: str, code: str = "Throttling", at: int = 1):
    """Let the at-th call of an operation fail."""
    real, calls = getattr(managed_policy.iam, operation), []

    def failing(**arguments):
        calls.append(arguments)
        if len(calls) == at:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
        return real(**arguments)

    monkeypatch.setattr(managed_policy.iam, operation, failing)


# --- the placeholder ---


def test_the_placeholder_grants_nothing_at_all():
    assert restricted_grants(PLACEHOLDER, ["*", "sts:GetCallerIdentity"]) == []


def test_the_placeholder_is_a_document_that_iam_takes(iam):
    create(iam, PLACEHOLDER)


# --- ValidatePolicy ---


def test_the_sample_event_is_judged_by_what_iam_has(iam):
    state = sample("validate_policy")
    document = state["detail"]["requestParameters"]["policyDocument"]
    arn = create(iam, document)
    verdict = judge(state)
    assert verdict["action"] == "remedy"
    assert verdict["policyArn"] == arn
    assert verdict["granted"] == ["s3:DeleteBucket"]
    assert verdict["statements"] == [
        {"statement": "0 (VisualEditor0)", "grants": ["s3:DeleteBucket"]}
    ]
    (offending,) = verdict["offending"]
    assert offending["document"] == document
    assert offending["sha256"] == managed_policy.sha256(document)


def test_a_policy_of_many_statements_still_fits_into_the_state(iam, monkeypatch):
    """A state has 256 KiB: more of them would end the execution, and nothing would catch that."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    create(iam, json.dumps({"Version": "2012-10-17", "Statement": [everything] * 100}))
    monkeypatch.setattr(validate_policy, "RESTRICTED", [f"s3:Delete{n:019}" for n in range(100)])
    verdict = judge(sample("validate_policy"))
    assert len(verdict["granted"]) == 100
    assert len(json.dumps(verdict)) < 100_000


def test_the_text_of_the_event_does_not_matter(iam):
    create(iam, GOOD)
    assert judge(sample("validate_policy"))["action"] == "alert"


def test_a_harmless_policy_is_let_through_with_a_reason(iam):
    create(iam, GOOD)
    verdict = judge(event())
    assert verdict["action"] == "alert"
    assert "s3:DeleteBucket, s3:DeleteObject" in verdict["summary"]


@pytest.mark.parametrize("name", ["CreatePolicyVersion", "SetDefaultPolicyVersion"])
def test_a_later_version_is_judged_too(iam, name: str):
    create(iam, GOOD, BAD, default=2)
    assert judge(event(name, "v2"))["action"] == "remedy"


def test_a_version_that_is_not_in_force_yet_is_judged_too(iam):
    create(iam, GOOD, BAD, default=1)
    verdict = judge(event("CreatePolicyVersion", "v2"))
    assert (verdict["action"], verdict["versionId"]) == ("remedy", "v2")


def test_all_versions_that_grant_are_found(iam):
    create(iam, BAD, GOOD, BAD, default=3)
    verdict = judge(event("SetDefaultPolicyVersion", "v3"))
    assert [item["versionId"] for item in verdict["offending"]] == ["v1", "v3"]


def test_an_old_version_that_nobody_touches_is_left_alone(iam):
    create(iam, BAD, GOOD, default=2)
    assert judge(event("SetDefaultPolicyVersion", "v2"))["action"] == "alert"


def test_a_policy_that_is_gone_needs_nothing(monkeypatch):
    waited: list[int] = []
    monkeypatch.setattr(validate_policy.time, "sleep", waited.append)
    verdict = judge(event())
    assert verdict["action"] == "alert"
    assert "deleted" in verdict["summary"]
    assert sum(waited) < 15  # and the function has 30 s


def test_a_policy_that_iam_does_not_show_yet_is_waited_for(iam, monkeypatch):
    monkeypatch.setattr(validate_policy.time, "sleep", lambda _: create(iam, BAD))
    assert judge(event())["action"] == "remedy"


def test_a_version_that_is_gone_is_judged_by_what_is_in_force(iam):
    create(iam, BAD)
    assert judge(event("CreatePolicyVersion", "v7"))["action"] == "remedy"


def test_an_error_of_iam_is_raised(iam, monkeypatch):
    create(iam, BAD)
    refuse(monkeypatch, "get_policy_version", "AccessDenied")
    with pytest.raises(ClientError):
        judge(event())


def test_versions_that_vanish_do_not_hide_the_one_in_force(iam, monkeypatch):
    arn = create(iam, GOOD, GOOD, BAD, default=3)
    real = managed_policy.iam.list_policy_versions

    def vanishing(**arguments):
        answer = real(**arguments)
        iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
        return answer

    monkeypatch.setattr(managed_policy.iam, "list_policy_versions", vanishing)
    verdict = judge(event("CreatePolicyVersion", "v3"))
    assert (verdict["action"], verdict["versionId"]) == ("remedy", "v3")
    assert [item["versionId"] for item in verdict["offending"]] == ["v3"]


def test_a_version_in_force_that_cannot_be_read_is_no_harmless_one(iam, monkeypatch):
    create(iam, BAD)
    monkeypatch.setattr(validate_policy.time, "sleep", lambda _: None)
    error = ClientError({"Error": {"Code": "NoSuchEntity", "Message": "no"}}, "GetPolicyVersion")
    gone = iam.exceptions.NoSuchEntityException(error.response, "GetPolicyVersion")
    monkeypatch.setattr(managed_policy.iam, "get_policy_version", Mock(side_effect=gone))
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        judge(event())


def large_request(created: str = "Nov 22, 2026, 1:00:00 PM") -> dict:
    state = event("CreatePolicyVersion")
    state["detail"]["requestParameters"] = None
    state["detail"]["responseElements"]["policyVersion"]["createDate"] = created
    return state


def policies_changed_at(monkeypatch: pytest.MonkeyPatch, **seconds: int) -> None:
    noon = datetime(2026, 11, 22, 13, tzinfo=UTC)
    found = [
        {"Arn": f"arn:aws:iam::123456789012:policy/{name}", "UpdateDate": noon + timedelta(0, late)}
        for name, late in seconds.items()
    ]
    pages = type("Pages", (), {"paginate": lambda *_, **__: [{"Policies": found}]})
    monkeypatch.setattr(managed_policy.iam, "get_paginator", lambda _: pages())


@pytest.mark.parametrize("created", ["Nov 22, 2026, 1:00:00 PM", "Nov 22, 2026 1:00:00\u202fPM"])
def test_a_request_too_large_for_cloudtrail_is_found_by_its_time(monkeypatch, created: str):
    policies_changed_at(monkeypatch, early=-90, changed=1, late=90)
    state = large_request(created)
    arn, version = managed_policy.subject_of(state["incident"], state["detail"])
    assert (arn.rpartition("/")[2], version) == ("changed", "v1")


@pytest.mark.parametrize("seconds", [{}, {"one": 0, "other": 1}])
def test_a_request_too_large_is_never_guessed_about(monkeypatch, seconds: dict):
    policies_changed_at(monkeypatch, **seconds)
    state = large_request()
    with pytest.raises(managed_policy.PolicyNotNamedError, match="too large"):
        managed_policy.subject_of(state["incident"], state["detail"])


def test_an_event_without_a_version_is_refused():
    state = event("SetDefaultPolicyVersion")
    del state["detail"]["requestParameters"]["versionId"]
    with pytest.raises(managed_policy.PolicyNotNamedError, match="no version"):
        managed_policy.subject_of(state["incident"], state["detail"])


# --- documents in the state ---


def test_a_padded_document_fits_into_the_state_and_comes_back_whole():
    spaces = "".join(random.Random(1).choices(" \n\t\r", k=124_000))  # noqa: S311 (no secret)
    text = BAD[:-1] + spaces + "}"
    packed = managed_policy.pack(text)
    assert len(json.dumps(packed)) < 64 * 1024
    assert managed_policy.unpack(packed) == text


def test_a_kept_document_that_was_changed_is_refused():
    packed = managed_policy.pack(BAD)
    with pytest.raises(ValueError, match="hash"):
        managed_policy.unpack({**packed, "document": GOOD})


def test_documents_beside_the_one_in_question_may_not_fill_the_state():
    text = "".join(random.Random(1).choices(" \n\t\r", k=100_000))  # noqa: S311 (no secret)
    assert managed_policy.pack(text, at_most=4_096).keys() == {"sha256"}


# --- RevertPolicy ---


def test_quarantine_leaves_only_the_placeholder(iam):
    arn = create(iam, BAD)
    left = quarantine(event())
    assert texts(arn) == {"v2": PLACEHOLDER}
    assert left["inForce"] == "v2"
    assert left["restore"] == "v1"
    assert left["withdrawn"][0]["document"] == BAD


def test_quarantine_again_ends_in_the_same_place(iam):
    arn = create(iam, BAD)
    state = {**event(), "validation": judge(event())}
    first = revert_policy.lambda_handler(state, None)
    assert revert_policy.lambda_handler(state, None) == first
    assert texts(arn) == {"v2": PLACEHOLDER}


@pytest.mark.parametrize(
    ("operation", "at"),
    [("delete_policy_version", 1), ("create_policy_version", 1), ("delete_policy_version", 2)],
)
def test_a_try_that_was_cut_short_is_completed(iam, monkeypatch, operation: str, at: int):
    arn = create(iam, BAD, GOOD, BAD, default=3)
    state = event("SetDefaultPolicyVersion", "v3")
    state["validation"] = judge(state)
    refuse(monkeypatch, operation, at=at)
    with pytest.raises(revert_policy.PolicyNotQuarantinedError, match=arn):
        revert_policy.lambda_handler(state, None)
    left = revert_policy.lambda_handler(state, None)
    assert texts(arn) == {"v2": GOOD, "v4": PLACEHOLDER}
    assert [item["document"] for item in left["withdrawn"]] == [BAD, BAD]


def test_five_versions_do_not_block_it_and_offending_ones_go_first(iam):
    arn = create(iam, GOOD, BAD, GOOD, BAD, GOOD, default=2)
    quarantine(event("SetDefaultPolicyVersion", "v2"))
    assert texts(arn) == {"v1": GOOD, "v3": GOOD, "v5": GOOD, "v6": PLACEHOLDER}


def test_a_harmless_version_that_makes_room_is_kept_in_the_state(iam):
    arn = create(iam, GOOD, GOOD, GOOD, GOOD, BAD, default=5)
    left = quarantine(event("SetDefaultPolicyVersion", "v5"))
    assert texts(arn) == {"v2": GOOD, "v3": GOOD, "v4": GOOD, "v6": PLACEHOLDER}
    assert [item["versionId"] for item in left["withdrawn"]] == ["v5", "v1"]
    assert left["withdrawn"][1]["document"] == GOOD


def test_an_old_placeholder_makes_room_before_anything_else(iam):
    arn = create(iam, GOOD, PLACEHOLDER, GOOD, GOOD, BAD, default=5)
    left = quarantine(event("SetDefaultPolicyVersion", "v5"))
    assert texts(arn) == {"v1": GOOD, "v3": GOOD, "v4": GOOD, "v6": PLACEHOLDER}
    assert [item["versionId"] for item in left["withdrawn"]] == ["v5"]


def test_the_log_keeps_what_a_try_that_fails_has_deleted(iam, monkeypatch, capsys):
    create(iam, GOOD, GOOD, GOOD, GOOD, BAD, default=5)
    refuse(monkeypatch, "create_policy_version", "AccessDenied")
    with pytest.raises(revert_policy.PolicyNotQuarantinedError):
        quarantine(event("SetDefaultPolicyVersion", "v5"))
    logged = json.loads(capsys.readouterr().out)
    assert (logged["madeRoom"], logged["document"]) == ("v1", GOOD)


@pytest.mark.parametrize("code", ["DeleteConflict", "LimitExceeded", "NoSuchEntity"])
def test_who_comes_between_has_to_do_it_every_time(iam, monkeypatch, code: str):
    arn = create(iam, BAD)
    name = {"DeleteConflict": "delete_policy_version"}.get(code, "create_policy_version")
    real, calls = getattr(managed_policy.iam, name), itertools.count(1)

    def between(**arguments):
        if next(calls) < revert_policy.ROUNDS:
            raise iam.exceptions.from_code(code)({"Error": {"Code": code}}, name)
        return real(**arguments)

    monkeypatch.setattr(managed_policy.iam, name, between)
    quarantine(event())
    assert set(texts(arn).values()) == {PLACEHOLDER}


def test_what_is_harmless_and_in_force_stays_in_force(iam):
    arn = create(iam, GOOD, BAD, default=1)
    left = quarantine(event("CreatePolicyVersion", "v2"))
    assert texts(arn) == {"v1": GOOD}
    assert left["inForce"] == "v1"


def test_where_nobody_could_judge_it_is_quarantined_and_nothing_is_lost(iam):
    arn = create(iam, GOOD)
    state = {**event(), "validation": {"Error": "Lambda.Unknown", "Cause": "..."}}
    for _ in range(2):
        left = revert_policy.lambda_handler(state, None)
        assert texts(arn) == {"v1": GOOD, "v2": PLACEHOLDER}
        assert in_force(arn) == PLACEHOLDER
        assert [item["document"] for item in left["withdrawn"]] == [GOOD]


UNJUDGED = {"validation": {"Error": "Lambda.Unknown", "Cause": "..."}}


@pytest.mark.parametrize("took_force", [True, False])
def test_where_nobody_could_judge_what_was_in_force_is_asked_about(iam, took_force: bool):
    create(iam, GOOD, BAD, default=2 if took_force else 1)
    state = {**event("CreatePolicyVersion", "v2"), **UNJUDGED}
    state["detail"]["responseElements"]["policyVersion"]["isDefaultVersion"] = took_force
    left = revert_policy.lambda_handler(state, None)
    assert left["restore"] == ("v2" if took_force else "v1")
    again = revert_policy.lambda_handler(state, None)
    assert next(item for item in again["withdrawn"] if item["versionId"] == "v2") == {
        "versionId": "v2",
        "wasDefault": took_force,
        **managed_policy.pack(BAD),
    }


@pytest.mark.parametrize("verdict", [None, [], "alert", {}, {"action": "alert"}])
def test_no_clear_verdict_is_no_verdict(iam, verdict: object):
    arn = create(iam, GOOD)
    revert_policy.lambda_handler({**event(), "validation": verdict}, None)
    assert in_force(arn) == PLACEHOLDER


def test_where_nobody_could_judge_a_suspect_does_not_make_room(iam):
    arn = create(iam, GOOD, GOOD, GOOD, GOOD, BAD, default=1)
    state = {**event("CreatePolicyVersion", "v5"), **UNJUDGED}
    revert_policy.lambda_handler(state, None)
    assert list(texts(arn)) == ["v1", "v3", "v4", "v5", "v6"]


def test_a_version_that_comes_back_is_noticed(iam, monkeypatch):
    arn = create(iam, BAD)
    state = {**event(), "validation": judge(event())}
    monkeypatch.setattr(managed_policy.iam, "delete_policy_version", lambda **_: None)
    with pytest.raises(revert_policy.PolicyNotQuarantinedError, match="v1 came back"):
        revert_policy.lambda_handler(state, None)
    assert in_force(arn) == PLACEHOLDER


def test_the_same_event_twice_does_no_harm(iam):
    arn = create(iam, BAD)
    first, second = ({**event(), "validation": judge(event())} for _ in range(2))
    assert revert_policy.lambda_handler(first, None) == revert_policy.lambda_handler(second, None)
    assert judge(event())["action"] == "alert"
    assert texts(arn) == {"v2": PLACEHOLDER}


# --- PolicyChangerApprove ---


def test_approval_restores_every_byte_and_tidies_up(iam):
    arn = create(iam, BAD)
    state = {"quarantine": quarantine(event())}
    done = approve.lambda_handler(state, None)
    assert texts(arn) == {"v3": BAD}
    assert in_force(arn) == BAD
    assert done == {
        "policyArn": arn, "inForceAgain": True, "versionId": "v3", "alreadyDone": False,
    }  # fmt: skip


def test_approval_again_finds_the_work_done(iam):
    arn = create(iam, BAD)
    state = {"quarantine": quarantine(event())}
    approve.lambda_handler(state, None)
    assert approve.lambda_handler(state, None)["alreadyDone"]
    assert texts(arn) == {"v3": BAD}


def test_approval_that_was_cut_short_is_completed(iam, monkeypatch):
    arn = create(iam, BAD)
    state = {"quarantine": quarantine(event())}
    refuse(monkeypatch, "delete_policy_version")
    with pytest.raises(approve.PolicyNotRestoredError, match=arn):
        approve.lambda_handler(state, None)
    approve.lambda_handler(state, None)
    assert in_force(arn) == BAD


def test_a_version_that_was_not_in_force_comes_back_as_it_was(iam):
    arn = create(iam, GOOD, BAD, default=1)
    state = {"quarantine": quarantine(event("CreatePolicyVersion", "v2"))}
    for _ in range(2):
        approve.lambda_handler(state, None)
        assert sorted(texts(arn).values()) == sorted([GOOD, BAD])
        assert in_force(arn) == GOOD


def test_what_was_approved_where_nobody_could_judge_comes_back(iam):
    arn = create(iam, GOOD)
    state = {**event(), "validation": {"Error": "Lambda.Unknown", "Cause": "..."}}
    state["quarantine"] = revert_policy.lambda_handler(state, None)
    approve.lambda_handler(state, None)
    assert in_force(arn) == GOOD


def test_a_policy_that_was_changed_meanwhile_is_left_alone(iam):
    arn = create(iam, BAD)
    state = {"quarantine": quarantine(event())}
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=GOOD, SetAsDefault=True)
    with pytest.raises(approve.PolicyChangedMeanwhileError, match="v3 is in force"):
        approve.lambda_handler(state, None)
    assert in_force(arn) == GOOD


def test_a_policy_that_was_made_again_is_another_one(iam):
    arn = create(iam, BAD)
    state = {"quarantine": quarantine(event())}
    state["quarantine"]["inForceSince"] = "2026-11-22T13:00:00+00:00"
    with pytest.raises(approve.PolicyChangedMeanwhileError, match="since 2026-11-22T13:00:00"):
        approve.lambda_handler(state, None)
    assert in_force(arn) == PLACEHOLDER


def test_a_correction_made_before_the_quarantine_stays(iam):
    arn = create(iam, BAD)
    state = {**event(), "validation": judge(event())}
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=GOOD, SetAsDefault=True)
    state["quarantine"] = revert_policy.lambda_handler(state, None)
    with pytest.raises(approve.PolicyChangedMeanwhileError, match="before the quarantine"):
        approve.lambda_handler(state, None)
    assert texts(arn) == {"v2": GOOD}


def test_old_placeholders_go_with_the_approval(iam):
    arn = create(iam, PLACEHOLDER, BAD, default=2)
    approve.lambda_handler({"quarantine": quarantine(event("SetDefaultPolicyVersion", "v2"))}, None)
    assert texts(arn) == {"v4": BAD}


def test_a_policy_that_was_deleted_meanwhile_is_named(iam):
    state = sample("policy_changer_approve")
    with pytest.raises(approve.PolicyNotRestoredError, match="my-bad-policy"):
        approve.lambda_handler(state, None)


def test_a_text_that_was_not_kept_cannot_be_restored(iam):
    create(iam, BAD)
    state = {"quarantine": quarantine(event())}
    for withdrawn in ([], [{"versionId": "v1", "wasDefault": True, "sha256": "..."}]):
        state["quarantine"]["withdrawn"] = withdrawn
        with pytest.raises(approve.PolicyNotRestoredError, match=r"no text( of v1)? was kept"):
            approve.lambda_handler(state, None)
