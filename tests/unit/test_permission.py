"""What mallory can do, as a table: how answers are read and shown. No call is made here."""

from __future__ import annotations

import pytest
from samtranslator.yaml_helper import yaml_parse

from helpers import permission, stack
from helpers.errors import WorkbookError
from helpers.incident import DOCUMENT, Attempt
from helpers.permission import Answer, Ground, Matrix, Probe

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
    with pytest.raises(WorkbookError, match="Hire her again"):
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
