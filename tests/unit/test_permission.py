"""What mallory can do, as a table: how answers are read and shown. No call is made here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import Stubber
from samtranslator.yaml_helper import yaml_parse

from helpers import permission, stack, waiting
from helpers.errors import WorkbookError
from helpers.incident import DOCUMENT, Attempt, Mallory
from helpers.permission import Answer, Ground, Matrix, Probe
from helpers.session import Session
from tests.unit import stubbed

SCRIPT = "<script>alert(1)</script>"


def _answering(*errors: str | None) -> tuple[Probe, ...]:
    """Probes whose calls have these outcomes; nothing is called."""

    def probe(number: int, error: str | None) -> Probe:
        return Probe(f"s3:{number}", lambda *_: Attempt(f"call({SCRIPT})", error, SCRIPT), "Proof")

    return tuple(probe(number, error) for number, error in enumerate(errors))


def _asked(probes: tuple[Probe, ...]) -> list[bool | None]:
    return [permission._ask(probe, None, Ground("b")).may for probe in probes]


def test_an_answer_is_what_the_call_said() -> None:
    assert _asked(_answering(None, "Proof", "AccessDenied", "SlowDown", "NoSuchBucket")) == [
        True, True, False, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("error", ["InvalidAccessKeyId", "ExpiredToken"])
def test_a_key_that_is_no_longer_known_is_no_answer(error: str) -> None:
    with pytest.raises(WorkbookError, match=r"wait, and run this cell again.*Hire her again"):
        _asked(_answering(error))


def _matrix() -> Matrix:
    probes = _answering(None, "AccessDenied", "SlowDown")
    matrix = Matrix(None, None, probes)
    for stage in ("before", "quarantined"):
        matrix.stages[stage] = {
            probe.action: permission._ask(probe, None, Ground("b")) for probe in probes
        }
    return matrix


def test_a_matrix_has_a_row_for_each_action_and_a_column_for_each_stage() -> None:
    assert [line.split() for line in repr(_matrix()).splitlines()] == [
        ["Can", "mallory", "do", "it?", "before", "quarantined"],
        ["s3:0", *["✓", "allowed"] * 2],
        ["s3:1", *["✗", "AccessDenied"] * 2],
        ["s3:2", *["?", "SlowDown"] * 2],
    ]
    shown = _matrix()._repr_html_()
    assert shown.split("<details>")[0].count("<tr>") == 4
    assert shown.count("<details>") == 2
    assert "✗</font></b>&nbsp;Access<wbr>Denied" in shown
    assert "<b>?</b>&nbsp;Slow<wbr>Down" in shown
    assert "<script>" not in shown
    assert "SlowDown: &lt;script&gt;" in shown, "what AWS answered is missing"


def test_a_cell_can_be_asked_for() -> None:
    assert _matrix()["before", "s3:0"]
    assert not _matrix()["before", "s3:1"]
    assert not _matrix()["before", "s3:2"], "what is not known is not allowed"
    with pytest.raises(WorkbookError, match="try_now"):
        _matrix()["approved", "s3:0"]
    with pytest.raises(WorkbookError, match="was not tried, only s3:0"):
        _matrix()["before", "s3:9"]


def test_before_anything_was_tried_it_says_so() -> None:
    matrix = Matrix(None, None)
    assert "Nothing was tried yet" in repr(matrix)
    assert "Nothing was tried yet" in matrix._repr_html_()


def test_every_restricted_action_has_a_probe_that_says_how_it_is_harmless() -> None:
    template = yaml_parse(stack.TEMPLATE.read_text())
    default = template["Parameters"]["restrictedActions"]["Default"]
    granted = DOCUMENT["Statement"][0]["Action"]
    assert {*default.split(","), *granted} <= {probe.action for probe in permission.PROBES}
    for probe in permission.PROBES:
        assert "https://docs.aws.amazon.com/AmazonS3/" in probe.call.__doc__


def test_an_answer_shows_its_call() -> None:
    answer = Answer(False, Attempt("delete_bucket(Bucket='b')", "AccessDenied", "no"))
    assert repr(answer) == "✗ AccessDenied. delete_bucket(Bucket='b'): AccessDenied. no"


ALLOWED, DENIED = "BucketNotEmpty", "AccessDenied"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setitem(waiting.PAUSE_SECONDS, "aws", 0)
    return stubbed.session()


@pytest.fixture
def bucket(aws: Session) -> Iterator[Stubber]:
    """What the learner does to the workbook's bucket: puts an object in, and takes it out."""
    s3 = stubbed.client(aws, "s3")
    for operation in ("head_bucket", "put_object", "delete_object"):
        s3.add_response(operation, {})
    yield s3
    s3.assert_no_pending_responses()


def _answers(aws: Session, *codes: str) -> tuple[Mallory, Stubber]:
    mallory, s3 = stubbed.mallory(aws)
    for code in codes:
        s3.add_client_error("delete_bucket", code)
    return mallory, s3


@pytest.mark.parametrize(
    ("allowed", "old", "new"), [(True, DENIED, ALLOWED), (False, ALLOWED, DENIED)]
)
def test_a_change_counts_when_three_answers_in_a_row_say_so(
    aws: Session, bucket: Stubber, allowed: bool, old: str, new: str
) -> None:
    mallory, s3 = _answers(aws, old, new, new, old, new, "SlowDown", new, new, new)
    permission.wait_until(mallory, allowed=allowed)
    s3.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("allowed", "code", "words"),
    [
        (True, DENIED, "may not call s3:DeleteBucket.*does she have the policy"),
        (False, ALLOWED, "may still call s3:DeleteBucket.*did TempRemove succeed"),
    ],
)
def test_a_change_that_does_not_count_in_time_is_a_sentence(
    aws: Session,
    bucket: Stubber,
    monkeypatch: pytest.MonkeyPatch,
    allowed: bool,
    code: str,
    words: str,
) -> None:
    monkeypatch.setitem(permission.PATIENCE_SECONDS, "aws", 0)
    mallory, _ = _answers(aws, code)
    with pytest.raises(WorkbookError, match=words):
        permission.wait_until(mallory, allowed=allowed)


def test_where_a_change_counts_at_once_one_answer_tells_it() -> None:
    local = stubbed.session("local")
    s3 = stubbed.client(local, "s3")
    for operation in ("head_bucket", "put_object", "delete_object"):
        s3.add_response(operation, {})
    mallory, asked = _answers(local, DENIED)
    permission.wait_until(mallory, allowed=False)
    asked.assert_no_pending_responses()
