"""The small views: what they show is escaped, and each has a plain-text form."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from helpers import inbox, incident, inventory, live, preflight, progress, stack, table
from helpers.errors import WorkbookError

SCRIPT = "<script>alert(1)</script>"


def test_a_table_escapes_and_colours_signs() -> None:
    shown = table.table((SCRIPT,), [(SCRIPT, "✓", 3)])
    assert "<script>" not in shown
    assert shown.count("&lt;script&gt;") == 2
    assert "#2da44e" in shown


def test_a_name_breaks_where_its_words_end() -> None:
    assert table.breakable("AWS::IAM::RoleName") == "AWS::<wbr>IAM::<wbr>Role<wbr>Name"
    assert table.breakable("CREATE_IN_PROGRESS") == "CREATE_<wbr>IN_<wbr>PROGRESS"
    assert table.breakable("s3:DeleteBucket") == "s3:<wbr>Delete<wbr>Bucket"
    assert table.breakable("Deployment69a") == "Deployment<wbr>69a"
    assert table.breakable(SCRIPT) == "&lt;script&gt;alert(1)&lt;/script&gt;"


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


ROWS = [
    ("A", "T", "CREATE_COMPLETE", ""),
    ("B", "T", "CREATE_IN_PROGRESS", ""),
    ("C", "T", "CREATE_FAILED", SCRIPT),
]


def test_progress_counts_what_is_complete() -> None:
    view = progress.Progress("s", ROWS[:2], 3, "CREATE_IN_PROGRESS")
    assert (view.done, view.whole) == (1, 3)
    assert view.failure() is None
    assert repr(view) == "s: 1 of 3 resources CREATE_IN_PROGRESS"
    shown = view._repr_html_()
    assert "1 of 3 resources · CREATE_IN_PROGRESS" in shown
    assert "width:33%" in shown
    assert progress.Progress("s", [], 0, "CREATE_COMPLETE").failure() is None


def test_every_resource_has_a_sign_its_name_and_its_type() -> None:
    shown = progress.Progress("s", ROWS, 3, "CREATE_IN_PROGRESS")._repr_html_()
    cells = [re.sub("<[^>]*>", "|", row) for row in shown.split("<tr>")[2:5]]
    assert [re.findall(r"[^|]+", row)[1:4] for row in cells] == [
        ["✓", "A", "T"], ["▶", "B", "T"], ["✗", "C", "T"],
    ]  # fmt: skip
    assert "<script>" not in shown


def test_a_reason_comes_before_everything_else() -> None:
    view = progress.Progress("s", ROWS, 3, "ROLLBACK_IN_PROGRESS", [f"C: {SCRIPT}", "D: late"])
    assert view.failure() == f"C: {SCRIPT}; D: late"
    assert repr(view) == f"s: 1 of 3 resources ROLLBACK_IN_PROGRESS, because of C: {SCRIPT}"
    shown = view._repr_html_()
    assert "<script>" not in shown
    assert shown.index("C: &lt;script&gt;") < shown.index("1 of 3") < shown.index("<table>")
    assert "undone" in shown
    assert "undone" not in progress.Progress("s", [], 3, "DELETE_FAILED", ["why"])._repr_html_()


def test_a_deletion_counts_what_is_gone() -> None:
    rows = [
        ("A", "T", "DELETE_COMPLETE", ""),
        ("B", "T", "DELETE_IN_PROGRESS", ""),
        ("C", "T", "DELETE_SKIPPED", ""),
    ]
    view = progress.Progress("s", rows, 4, "DELETE_IN_PROGRESS")
    assert repr(view) == "s: 2 of 4 resources deleted DELETE_IN_PROGRESS"
    assert "−" in view._repr_html_()


def test_an_update_counts_what_changes_and_what_it_deletes() -> None:
    rows = [("A", "T", "UPDATE_COMPLETE", ""), ("B", "T", "DELETE_COMPLETE", "")]
    view = progress.Progress("s", rows, 21, "UPDATE_COMPLETE")
    assert (view.done, view.whole) == (2, 2)


def _event(name: str, status: str, reason: str = "", physical: str = "p") -> dict[str, str]:
    return {
        "StackId": "id",
        "LogicalResourceId": name,
        "PhysicalResourceId": physical,
        "ResourceType": "AWS::CloudFormation::Stack" if physical == "id" else "T",
        "ResourceStatus": status,
        **({"ResourceStatusReason": reason} if reason else {}),
    }


FAILED_CREATION = [
    _event("s", "REVIEW_IN_PROGRESS", physical="id"),
    _event("s", "CREATE_IN_PROGRESS", "User Initiated", physical="id"),
    _event("A", "CREATE_IN_PROGRESS"),
    _event("A", "CREATE_COMPLETE"),
    _event("B", "CREATE_IN_PROGRESS"),
    _event("C", "CREATE_IN_PROGRESS"),
    _event("C", "CREATE_FAILED", "no such role"),
    _event("B", "CREATE_FAILED", "Resource creation cancelled"),
    _event("s", "ROLLBACK_IN_PROGRESS", "[C, B]", physical="id"),
    _event("C", "DELETE_COMPLETE"),
    _event("A", "DELETE_COMPLETE"),
    _event("s", "ROLLBACK_COMPLETE", physical="id"),
]


def test_the_first_failure_is_the_reason_also_after_the_rollback() -> None:
    events = progress._operation(FAILED_CREATION[::-1])
    assert progress._reasons(events) == ["C: no such role"]
    assert progress._latest(events) == [
        ("A", "T", "DELETE_COMPLETE", ""),
        ("B", "T", "CREATE_FAILED", "Resource creation cancelled"),
        ("C", "T", "DELETE_COMPLETE", "no such role"),
    ]
    only = [event for event in events if event["LogicalResourceId"] == "B"]
    assert progress._reasons(only) == ["B: Resource creation cancelled"]


def test_only_the_newest_operation_is_shown() -> None:
    deletion = [
        _event("s", "DELETE_IN_PROGRESS", "User Initiated", physical="id"),
        _event("A", "DELETE_IN_PROGRESS"),
    ]
    events = progress._operation([*FAILED_CREATION, *deletion][::-1])
    assert progress._latest(events) == [("A", "T", "DELETE_IN_PROGRESS", "")]
    assert progress._reasons(events) == []


def test_a_stack_in_a_stack_is_a_resource() -> None:
    inner = {**_event("Inner", "CREATE_IN_PROGRESS"), "ResourceType": "AWS::CloudFormation::Stack"}
    assert progress._latest(progress._operation([inner])) == [
        ("Inner", "AWS::CloudFormation::Stack", "CREATE_IN_PROGRESS", "")
    ]


def test_what_cannot_be_used_any_more_says_so() -> None:
    assert "10_clean_up" in stack._advice("ROLLBACK_COMPLETE")
    assert "before the update" in stack._advice("UPDATE_ROLLBACK_COMPLETE")
    assert stack._advice("CREATE_COMPLETE") == ""


class Handle:
    """Stands for what IPython's display gives: notes what is shown."""

    def __init__(self) -> None:
        self.shown: list[object] = []

    def update(self, view: object) -> None:
        self.shown.append(view)


def test_a_change_of_one_status_is_shown_though_the_count_stays() -> None:
    shown = live.Live(progress.Progress("s", [], 2))
    shown._handle = handle = Handle()
    begun = progress.Progress("s", [("A", "T", "CREATE_IN_PROGRESS", "")], 2)
    same = progress.Progress("s", [("A", "T", "CREATE_IN_PROGRESS", "")], 2)
    shown.show(begun)
    shown.show(same)
    assert handle.shown == [begun]


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


def test_an_inventory_has_a_row_a_name_and_the_stack_s_is_cut() -> None:
    """Also where CloudFormation has shortened it; a name that is nothing else stays whole."""
    shortened = f"{stack.NAME[:25]}-RequestApproval-1A2B"
    names = [f"{stack.NAME}-One", shortened, f"/aws/lambda/{stack.NAME}-One", stack.NAME]
    found = inventory.Inventory({"Users": [], "Functions": names})
    assert repr(found).splitlines() == [
        "Users:      none",
        "Functions:  …-One",
        "            …-RequestApproval-1A2B",
        "            /aws/lambda/…-One",
        f"            {stack.NAME}",
    ]
    assert found._repr_html_().count("<tr>") == 6
    assert '<td style="text-align:left">4</td>' in found._repr_html_()


def test_a_table_s_numbers_are_flush_right() -> None:
    shown = table.table(("what", "number"), [("one", 1)], right=[1])
    assert '<th style="text-align:left">what</th><th style="text-align:right">number</th>' in shown
    assert '<td style="text-align:left">one</td><td style="text-align:right">1</td>' in shown


def test_live_is_silent_outside_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    with live.Live("a") as shown:
        shown.show("b")
    assert capsys.readouterr().out == ""


def test_the_episode_s_policy_is_the_stored_one() -> None:
    assert incident.DOCUMENT["Statement"][0]["Action"][-1] == "s3:DeleteBucket"
    assert json.loads(json.dumps(incident.DOCUMENT)) == incident.DOCUMENT
