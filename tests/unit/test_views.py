"""The small views: what they show is escaped, and each has a plain-text form."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from helpers import inbox, incident, inventory, live, preflight, stack, table
from helpers.errors import WorkbookError

SCRIPT = "<script>alert(1)</script>"


def test_a_table_escapes_and_colours_signs() -> None:
    shown = table.table((SCRIPT,), [(SCRIPT, "✓", 3)])
    assert "<script>" not in shown
    assert shown.count("&lt;script&gt;") == 2
    assert "#2e8540" in shown


def _mail(text: str, *links: str) -> inbox.Mail:
    return inbox.Mail(SCRIPT, "a@b", "c@d", datetime(2026, 11, 22, tzinfo=UTC), text, links)


def test_a_mail_shows_its_links_as_addresses_of_this_computer() -> None:
    mail = _mail("go to https://x.example/a?b=1&c=2 now", "http://127.0.0.1:1/a?b=1&c=2")
    shown = mail._repr_html_()
    assert 'href="http://127.0.0.1:1/a?b=1&amp;c=2"' in shown
    assert ">https://x.example/a?b=1&amp;c=2</a>" in shown
    assert "<script>" not in shown
    assert "Subject:" in repr(mail)


def test_a_document_cannot_redirect_the_mail_s_links() -> None:
    """What a policy's author wrote stands after the app's own links, whatever is in it."""
    text = "https://app.example/Prod/allow?token=t\nhttps://x.example/<https://evil.example/allow"
    found = inbox._LINK.findall(text)
    mail = _mail(text, *(link.replace("app.example", "127.0.0.1:1") for link in found))
    assert mail.link("allow") == "https://127.0.0.1:1/Prod/allow?token=t"
    shown = mail._repr_html_()
    assert 'href="https://127.0.0.1:1/Prod/allow?token=t"' in shown
    assert shown.index("127.0.0.1:1/Prod/allow") < shown.index("evil.example")


def test_a_mail_without_the_link_says_so() -> None:
    with pytest.raises(WorkbookError, match="no link with 'deny'"):
        _mail("text", "http://127.0.0.1/allow").link("deny")


def _refused(**_: object) -> None:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": SCRIPT}}, "DeleteBucket")


def test_an_attempt_is_true_where_it_succeeded() -> None:
    refused = incident.attempt(_refused, Bucket="b")
    assert not refused
    assert refused.error == "AccessDenied"
    assert "<script>" not in refused._repr_html_()
    assert incident.attempt(dict, Bucket="b")


def test_an_attempt_does_not_show_a_whole_token() -> None:
    assert "x" * 61 not in repr(incident.attempt(dict, taskToken="x" * 100))


def test_what_is_in_force_is_the_default_version() -> None:
    versions = incident.Versions(
        [incident.Version("v2", True, {"a": 1}), incident.Version("v1", False, {})]
    )
    assert versions.in_force.name == "v2"
    assert repr(versions).splitlines()[0].startswith("v2 (in force)")
    assert "✓ in force" in versions._repr_html_()


def test_progress_counts_what_is_complete() -> None:
    rows = [
        ("A", "T", "CREATE_COMPLETE", ""),
        ("B", "T", "CREATE_IN_PROGRESS", ""),
        ("C", "T", "CREATE_FAILED", "no such role"),
    ]
    view = stack.Progress("s", rows, 3, "ROLLBACK_COMPLETE")
    assert view.done == 1
    assert view.failure() == "C: no such role"
    assert "1 of 3" in repr(view)
    assert "1 of 3" in view._repr_html_()
    assert stack.Progress("s", [], 0, "CREATE_COMPLETE").failure() is None


def test_the_newest_event_of_a_resource_counts() -> None:
    def event(status: str) -> dict[str, str]:
        kind = {"ResourceType": "T", "LogicalResourceId": "A"}
        return {**kind, "ResourceStatus": status}

    newest_first = [event("CREATE_COMPLETE"), event("CREATE_IN_PROGRESS")]
    assert stack._latest(newest_first) == [("A", "T", "CREATE_COMPLETE", "")]


def test_a_report_is_true_where_nothing_complains() -> None:
    good, bad = preflight.Check("a", "1"), preflight.Check("b", "2", "do this")
    assert preflight.Report((good,))
    report = preflight.Report((good, bad))
    assert not report
    assert "do this" in repr(report)
    assert "✗" in report._repr_html_()


def test_an_inventory_is_true_where_something_is_left() -> None:
    assert not inventory.Inventory({"Users": []})
    assert inventory.Inventory({"Users": ["mallory"]})
    assert "mallory" in inventory.Inventory({"Users": ["mallory"]})._repr_html_()


def test_live_is_silent_outside_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    with live.Live("a") as shown:
        shown.show("b")
    assert capsys.readouterr().out == ""


def test_the_episode_s_policy_is_the_stored_one() -> None:
    assert incident.DOCUMENT["Statement"][0]["Action"][-1] == "s3:DeleteBucket"
    assert json.loads(json.dumps(incident.DOCUMENT)) == incident.DOCUMENT
