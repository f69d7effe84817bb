"""The picture: right for every definition, readable by eye, by ear and without colours."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
from IPython.core.formatters import DisplayFormatter

from helpers import graph
from helpers.chart import drawing, labels, layout, signs
from helpers.errors import WorkbookError
from helpers.history import StepStatus
from tests.unit.pictures import SVG, Picture
from tests.unit.test_history import Script, nested, waiting

ALL = [{"ErrorEquals": ["States.ALL"], "Next": "Alarm"}]
EPISODE = {
    "StartAt": "ModifyState",
    "States": {
        "ModifyState": {"Type": "Pass", "Next": "ValidatePolicy"},
        "ValidatePolicy": {
            "Type": "Task",
            "Resource": "${ValidatePolicyArn}",
            "Retry": [{"ErrorEquals": ["Lambda.ServiceException"], "MaxAttempts": 5}],
            "Catch": ALL,
            "Next": "ChooseAction",
        },
        "ChooseAction": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.result.action", "StringEquals": "remedy", "Next": "TempRemove"},
                {
                    "And": [
                        {"Variable": "$.result.action", "IsPresent": True},
                        {"Variable": "$.result.action", "StringEquals": "alert"},
                    ],
                    "Next": "Allow",
                },
            ],
            "Default": "TempRemove",
        },
        "Allow": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": True},
        "TempRemove": {"Type": "Task", "Resource": "x", "Catch": ALL, "Next": "AskUser"},
        "AskUser": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Denied"}, *ALL],
            "Next": "Denied",
        },
        "Denied": {"Type": "Pass", "End": True},
        "Alarm": {"Type": "Fail", "Error": "Alarm"},
    },
}
NESTED = {
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Tell", "States": {"Tell": {"Type": "Task", "End": True}}},
                {
                    "StartAt": "Each",
                    "States": {
                        "Each": {
                            "Type": "Map",
                            "ItemProcessor": {
                                "ProcessorConfig": {"Mode": "DISTRIBUTED"},
                                "StartAt": "Look",
                                "States": {"Look": {"Type": "Pass", "End": True}},
                            },
                            "End": True,
                        }
                    },
                },
            ],
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
    },
}

INLINE = json.loads(json.dumps(NESTED).replace("DISTRIBUTED", "INLINE"))


# --- what the picture says ---


def test_what_lies_over_something_else_is_found():
    assert Picture(graph.svg(EPISODE)).faults() == []
    moved = re.sub(r'<rect x="[\d.]+" y="[\d.]+"', '<rect x="40.0" y="40.0"', graph.svg(EPISODE))
    assert len(Picture(moved).faults()) > 20


def test_every_state_with_its_type():
    picture = Picture(graph.svg(EPISODE))
    assert "AskUser (Task · lambda:invoke.waitForTaskToken)" in picture.titles
    assert "ModifyState (Pass)" in picture.titles
    assert "ValidatePolicy (Task · ${ValidatePolicyArn})" in picture.titles
    assert {"Start", "End", "ChooseAction"} <= set(picture.texts)
    assert picture.faults() == []


def test_conditions_are_on_the_arrows():
    said = Picture(graph.svg(EPISODE)).texts
    assert 'result.action = "remedy"' in said
    assert 'result.action = "alert"' in said  # its guard "is present" is left out
    assert "otherwise" in said
    assert "States.Timeout" in said
    assert "States.ALL" not in said


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"Variable": "$.a.b", "NumericGreaterThanEquals": 3}, "a.b ≥ 3"),
        ({"Variable": "$.a", "NumericLessThanPath": "$.b"}, "a < b"),
        ({"Variable": "$.a", "BooleanEquals": False}, "a = false"),
        ({"Variable": "$.a", "StringMatches": "*.log"}, 'a matches "*.log"'),
        ({"Variable": "$.a", "TimestampLessThan": "2026-01-01T00:00:00Z"},
         'a < "2026-01-01T00:00:00Z"'),
        ({"Variable": "$.a", "IsPresent": True}, "a is present"),
        ({"Variable": "$.a", "IsNull": False}, "a is not null"),
        ({"Not": {"Variable": "$.a", "IsNumeric": True}}, "not (a is a number)"),
        ({"Or": [{"Variable": "$.a", "NumericEquals": 1},
                 {"And": [{"Variable": "$.b", "NumericEquals": 2},
                          {"Variable": "$.c", "NumericEquals": 3}]}]},
         "a = 1 or (b = 2 and c = 3)"),
        ({"Variable": "$$.Execution.Id", "StringEquals": "é"}, '$$.Execution.Id = "é"'),
        ({"Condition": "{%  $states.input.x\n > 3 %}"}, "$states.input.x > 3"),
        ({"Condition": True}, "true"),
        ({"Variable": "$.a"}, "?"),
        ({"And": []}, "?"),
        ({"Not": 3}, "not (?)"),
        ({"Condition": "${Condition}"}, "${Condition}"),
        ({}, "?"),
    ],
)  # fmt: skip
def test_conditions_read_as_words(rule: dict, words: str):
    assert labels.condition(rule) == words


def test_retries_are_arrows_back_to_the_state():
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Retry": [
            {"ErrorEquals": ["Lambda.Unknown", "X"], "MaxAttempts": 5},
            {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0},
            {"ErrorEquals": ["States.ALL"]},
        ],
        "End": True,
    }
    picture = Picture(graph.svg({"StartAt": "Work", "States": {"Work": task}}))
    assert "↻ 5× / 3×" in picture.texts
    (told,) = [label.findtext(f"{SVG}title") for label in picture.labels]
    assert told == "retries Lambda.Unknown, X up to 5×; any error up to 3×"
    assert arrows(picture, drawing.LINE) == 3  # from the start, back to itself, to the end
    script = Script()
    script.function("Work", failures=1)
    assert arrows(Picture(graph.svg({"StartAt": "Work", "States": {"Work": task}}, script.events)),
                  drawing.TAKEN) == 3  # fmt: skip


def arrows(picture: Picture, colour: str) -> int:
    return sum(group.get("stroke") == colour for group in picture.drawn)


def test_statuses_are_told_by_colour_by_sign_and_by_word():
    picture = Picture(graph.svg(EPISODE, waiting()))
    asked, validated = picture.box("AskUser"), picture.box("ValidatePolicy")
    assert asked.title == "AskUser (Task · lambda:invoke.waitForTaskToken): waiting"
    assert validated.title.endswith("): succeeded, retried 2 times")
    sign = signs.SIGNS[StepStatus.WAITING]
    assert (asked.fill, asked.stroke, asked.drawings) == (sign.fill, sign.strong, [sign.drawing])
    assert "waiting" in asked.lines
    assert validated.drawings == [signs.SIGNS[StepStatus.SUCCEEDED].drawing, signs.RETRIED]
    assert "2" in validated.lines
    assert picture.title == "State machine with 8 states, now at AskUser"
    assert (
        "AskUser (Task · lambda:invoke.waitForTaskToken): waiting, then Denied, "
        "on error Denied or Alarm; Denied (Pass): not started" in picture.desc
    )


def test_what_has_not_started_is_told_where_an_execution_is_shown():
    denied = Picture(graph.svg(EPISODE, waiting())).box("Denied")
    assert denied.title == "Denied (Pass): not started"
    assert denied.drawings == [signs.NOT_STARTED.drawing]
    assert Picture(graph.svg(EPISODE)).box("Denied").drawings == []


def standing(status: StepStatus) -> list[dict]:
    """A history that leaves the state Work in a status."""
    script = Script()
    if status in (StepStatus.SUCCEEDED, StepStatus.CAUGHT):
        script.function("Work", failures=status is StepStatus.CAUGHT, ends=False)
        script("TaskStateExited", name="Work", output="{}")
    elif status is StepStatus.WAITING:
        script.asks("Work")
    else:
        script.function("Work", failures=status is StepStatus.FAILED, ends=False)
        ends = {"FAILED": "Failed", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}
        if status in ends:
            script(f"Execution{ends[status]}")
    return script.events


@pytest.mark.parametrize("status", StepStatus)
def test_each_status_has_a_look_of_its_own(status: StepStatus):
    machine = {"StartAt": "Work", "States": {"Work": {"Type": "Task", "End": True}}}
    box = Picture(graph.svg(machine, standing(status))).box("Work")
    sign = signs.SIGNS[status]
    assert box.title.endswith(f": {status.replace('_', ' ').lower()}")
    assert (box.fill, box.stroke, box.drawings) == (sign.fill, sign.strong, [sign.drawing])


def test_no_two_statuses_share_a_sign():
    assert set(signs.SIGNS) == set(StepStatus)
    every = [*signs.SIGNS.values(), signs.NOT_STARTED]
    for each in ("text", "drawing", "fill", "strong", "word"):
        assert len({getattr(sign, each) for sign in every}) == len(every)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Source: WCAG 2.2, contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_can_be_read_on_light_and_dark():
    for background in ("#ffffff", "#111111"):  # JupyterLab's two themes
        for line in (drawing.LINE, drawing.TAKEN, drawing.CAUGHT):
            assert contrast(line, background) >= 3
    for fill in [sign.fill for sign in signs.SIGNS.values()] + [drawing.PLAIN]:
        assert contrast(drawing.INK, fill) >= 7
        assert contrast(drawing.FAINT_INK, fill) >= 4.5
    for sign in signs.SIGNS.values():
        assert contrast("#ffffff", sign.strong) >= 4.5


def test_the_way_taken_is_marked():
    picture = Picture(graph.svg(EPISODE, waiting()))
    # Start, ModifyState, ValidatePolicy twice again, ChooseAction, TempRemove, and so to AskUser.
    assert arrows(picture, drawing.TAKEN) == 6
    assert drawing.TAKEN not in graph.svg(EPISODE)


def test_a_map_counts_its_items_and_containers_frame_their_states():
    picture = Picture(graph.svg(INLINE, nested()))
    each = picture.box("Each")
    assert each.title == "Each (Map · for each item): succeeded, 2 of 2 items"
    assert "2/2" in each.lines
    outer, inner = picture.frames
    look = picture.box("Look").place
    assert outer[0] < inner[0] < look[0] < look[2] < inner[2] < outer[2]
    assert outer[1] < inner[1] < look[1] < look[3] < inner[3] < outer[3]


def test_a_distributed_map_counts_what_its_history_tells():
    script = Script()
    script("MapStateEntered", name="Each", input="[1, 2]")
    script("MapStateStarted", length=2)
    script("MapRunStarted", mapRunArn="arn:aws:states:eu-west-1:123456789012:mapRun:m/x:y")
    picture = Picture(graph.svg(NESTED, script.events))
    assert picture.box("Each").title == "Each (Map · distributed): running, 2 items"
    assert "running 2 items" in picture.box("Each").lines


def test_a_picture_does_not_get_too_wide():
    states = {f"T{n}": {"Type": "Pass", "End": True} for n in range(20)}
    rules = [{"Condition": f"{n}", "Next": name} for n, name in enumerate(states)]
    machine = {"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": rules}, **states}}
    picture = Picture(graph.svg(machine))
    assert float(picture.root.attrib["viewBox"].split()[2]) < 2000
    rows = {box.place[1] for box in picture.boxes}
    assert len(rows) == 6
    assert picture.faults() == []
    # It shrinks with its column, unless it could not be read in one of the usual width.
    assert "max-width:100%" in graph.svg(EPISODE)
    assert "min-width:" in graph.svg(machine)


def test_a_taken_catch_is_told_from_an_ordinary_arrow():
    script = Script()
    script.function("ValidatePolicy", failures=1, ends=False)
    script("TaskStateExited", name="ValidatePolicy", output="{}")
    script("FailStateEntered", name="Alarm", input="{}")
    picture = Picture(graph.svg({**EPISODE, "StartAt": "ValidatePolicy"}, script.events))
    caught = [group[0] for group in picture.drawn if group.get("stroke") == drawing.CAUGHT]
    looks = {(line.get("stroke-width"), "stroke-dasharray" in line.attrib) for line in caught}
    assert looks == {("2.2", False), ("1", True)}


def test_a_default_is_dashed():
    picture = Picture(graph.svg(
        {"StartAt": "C", "States": {"C": {"Type": "Choice", "Default": "D"}, "D": {"Type": "Pass",
         "End": True}}})
    )  # fmt: skip
    lines = [group[0] for group in picture.drawn if group.get("stroke") == drawing.LINE]
    assert sum("stroke-dasharray" in line.attrib for line in lines if line.tag != "title") == 1
    assert "otherwise" in picture.texts


@pytest.mark.parametrize(
    ("errors", "label"),
    [(["States.Timeout"], "States.Timeout"), (["States.Timeout", "States.ALL"], "")],
)
def test_an_arrow_that_catches_any_error_names_none(errors: list[str], label: str):
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Catch": [{"ErrorEquals": [error], "Next": "Alarm"} for error in errors],
        "End": True,
    }
    picture = graph.svg({"StartAt": "Work", "States": {"Work": task, "Alarm": {"Type": "Fail"}}})
    assert ("States.Timeout" in picture) == bool(label)


def test_errors_in_a_definition_are_drawn():
    inner = {"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "A"}}}
    picture = Picture(graph.svg(
        {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Pass", "Next": "Gone"},
                "B": {"Type": "Pass"},
                "C": {"Type": "Banana", "End": True},
                "D": {"Type": "Pass", "Next": "E"},
                "E": {"Type": "Pass", "Next": "D"},
                "F": {"Type": "Map", "ItemProcessor": inner, "Next": "I"},
            },
        }
    ))  # fmt: skip
    broken = {box.title for box in picture.boxes if box.stroke == drawing.ERROR}
    assert broken == {
        "Gone (no such state)",
        "no Next (nowhere to go)",
        *(f"{name} (Pass · unreachable)" for name in "BDE"),
        "C (unknown type 'Banana' · unreachable)",
        "A (in another branch)",
        "I (in another branch)",
        "F (Map · for each item · unreachable)",
    }


def test_a_name_may_be_used_once():
    inner = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    machine = {"Type": "Map", "Iterator": inner, "End": True}
    picture = Picture(graph.svg({"StartAt": "A", "States": {"A": machine}}))
    assert picture.titles == [
        "A (Map · for each item · name used twice)",
        "A (Pass · name used twice)",
    ]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "The definition is not JSON: "),
        ('{"StartAt": ', "The definition is not JSON: "),
        ("[1]", "The definition is not a JSON object but '[1]'."),
        ("3", "The definition is not a JSON object but '3'."),
        (None, "The definition is not a JSON object but 'null'."),
        ({"StartAt": {1, 2}}, "The definition cannot be written as JSON: "),
        ("[" * 100_000, "The definition is nested too deeply to be drawn."),
    ],
)
def test_what_is_no_definition_is_refused_in_a_sentence(given: object, sentence: str):
    with pytest.raises(WorkbookError, match=re.escape(sentence)) as refused:
        graph.svg(given)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_substitutions_are_left_in():
    text = """{"StartAt": "Wait a ${While}", "States": {"Wait a ${While}":
        {"Type": "Wait", "Seconds": ${Seconds}, "End": true}}}"""
    assert Picture(graph.svg(text)).titles == [
        "Wait a ${While} (Wait · seconds in ${Seconds})",
    ]


# --- how it is shown ---


def test_graph_displays_itself():
    shown = graph.Graph(EPISODE, waiting())
    assert repr(shown).splitlines()[1:3] == [
        "✓ ValidatePolicy (Task · ${ValidatePolicyArn})  succeeded, retried 2 times",
        "✓ ChooseAction (Choice)  succeeded",
    ]
    assert repr(graph.Graph(NESTED)).splitlines() == [
        "· Both (Parallel · 2 branches)",
        "  · Tell (Task · no Resource)",
        "  · Each (Map · distributed)",
        "    · Look (Pass)",
        "· Done (Succeed)",
    ]


def test_a_notebook_gets_html_svg_and_text():
    shown = graph.Graph(EPISODE, waiting())
    formatter = DisplayFormatter()
    formatter.active_types = list(formatter.format_types)
    bundle, _ = formatter.format(shown)
    assert set(bundle) == {"text/html", "image/svg+xml", "text/plain"}
    assert bundle["image/svg+xml"] == graph.svg(EPISODE, waiting())
    assert bundle["text/plain"] == repr(shown)


class Page(HTMLParser):
    """The texts that are seen where SVG is stripped but for its text, and the images."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.styles: list[str] = []
        self.images: list[dict] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        found = dict(attrs)
        self.styles.append(found.get("style", ""))
        self.images += [found] if tag == "img" else []


def test_html_has_the_picture_inline_and_an_image_for_who_strips_it():
    html = graph.Graph(EPISODE)._repr_html_()
    page = Page(html)
    assert (
        page.styles[0] == "font-size:0;overflow-x:auto"
    )  # of the whole: letters that are left are not seen
    assert page.styles[1] == "max-width:100%;height:auto"
    (image,) = page.images
    assert image["style"] == page.styles[1]
    kind, source = image["src"].split(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(source).decode() == graph.svg(EPISODE)
    assert html.index("<desc>") < html.index("<img") < html.index("</desc>")


def test_json_text_and_parsed_are_the_same():
    assert graph.svg(json.dumps(EPISODE)) == graph.svg(EPISODE)


def test_a_redraw_does_not_lay_out_again(monkeypatch: pytest.MonkeyPatch):
    first = graph.svg(EPISODE)

    def never(*_: object) -> None:
        raise AssertionError("laid out again")

    monkeypatch.setattr(layout, "place", never)
    assert graph.svg(EPISODE, waiting()) != first
    assert graph.svg(EPISODE) == first


def test_threads_may_draw_at_once():
    definitions = [
        {"StartAt": f"S{n}", "States": {f"S{n}": {"Type": "Pass", "End": True}}} for n in range(60)
    ]
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(graph.svg, definitions))
    for number, picture in enumerate(pictures):
        assert Picture(picture).titles == [f"S{number} (Pass)"]


def test_the_app_of_this_workbook():
    text = (Path(__file__).parents[2] / "app/statemachine/policy_guard.asl.json").read_text()
    picture = Picture(graph.svg(text))
    assert all(picture.box(name).stroke != drawing.ERROR for name in json.loads(text)["States"])
    assert picture.faults() == []
