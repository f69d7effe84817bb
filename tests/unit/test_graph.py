"""The picture: right for every definition, readable by eye, by ear and without colours."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import graph
from helpers.history import StepStatus
from tests.unit.test_history import Script, nested, timed_out_map, waiting

SVG = "{http://www.w3.org/2000/svg}"
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


def parsed(picture: str) -> ET.Element:
    """The picture as XML, after what holds for every one: nothing in it needs the outside."""
    root = ET.fromstring(picture)  # noqa: S314, it is ours
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in "svg title desc g rect circle path text".split()
        assert not {"style", "class", "id", "href", "onclick"} & set(element.attrib)
        for value in element.attrib.values():
            assert "nan" not in value
            assert "url(" not in value
    return root


def titles(root: ET.Element) -> list[str]:
    """The tooltips of the states: `Name (Type · more): status`."""
    return [title.text or "" for title in root.findall(f".//{SVG}g/{SVG}g/{SVG}title")]


def texts(root: ET.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def boxes(text: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of each node."""
    machine = graph._layout(text)
    return [
        (n.x - n.width / 2, n.y - n.height / 2, n.x + n.width / 2, n.y + n.height / 2)
        for n in machine.nodes
    ]


def overlaps(text: str) -> list[tuple]:
    found = sorted(boxes(text))
    return [
        (a, b)
        for number, a in enumerate(found)
        for b in found[number + 1 :]
        if b[0] < a[2] - 1 and b[1] < a[3] - 1 and a[1] < b[3] - 1
    ]


# --- what the picture says ---


def test_every_state_with_its_type():
    said = titles(parsed(graph.svg(EPISODE)))
    assert "AskUser (Task · lambda:invoke.waitForTaskToken)" in said
    assert "ModifyState (Pass)" in said
    assert "ValidatePolicy (Task · ${ValidatePolicyArn}); retries " in "".join(said)
    assert {"Start", "End", "ChooseAction"} <= set(texts(parsed(graph.svg(EPISODE))))


def test_conditions_are_on_the_arrows():
    said = texts(parsed(graph.svg(EPISODE)))
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
        ({}, "?"),
    ],
)  # fmt: skip
def test_conditions_read_as_words(rule: dict, words: str):
    assert graph._condition(rule) == words


def test_statuses_are_told_by_colour_by_sign_and_by_word():
    root = parsed(graph.svg(EPISODE, waiting()))
    said = "\n".join(titles(root))
    assert "AskUser (Task · lambda:invoke.waitForTaskToken): waiting" in said
    assert "ValidatePolicy (Task · ${ValidatePolicyArn}): succeeded, retried 2 times" in said
    assert "waiting" in texts(root)
    drawn = {path.get("d") for path in root.iter(f"{SVG}path")}
    assert graph._SIGNS[StepStatus.WAITING].drawing in drawn
    assert graph._SIGNS[StepStatus.SUCCEEDED].drawing in drawn
    assert graph._SIGNS[StepStatus.FAILED].drawing not in drawn
    fills = {rect.get("fill") for rect in root.iter(f"{SVG}rect")}
    assert graph._SIGNS[StepStatus.WAITING].fill in fills
    assert "now at AskUser" in (root.findtext(f"{SVG}title") or "")
    assert "AskUser (Task · lambda:invoke.waitForTaskToken): waiting" in (
        root.findtext(f"{SVG}desc") or ""
    )


def test_no_two_statuses_share_a_sign():
    signs = list(graph._SIGNS.values())
    assert set(graph._SIGNS) == set(StepStatus)
    for each in ("text", "drawing", "fill", "strong", "word"):
        assert len({getattr(sign, each) for sign in signs}) == len(signs)


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
        for line in (graph._LINE, graph._TAKEN, graph._CAUGHT):
            assert contrast(line, background) >= 3
    for fill in [sign.fill for sign in graph._SIGNS.values()] + [graph._PLAIN]:
        assert contrast(graph._INK, fill) >= 7
        assert contrast(graph._FAINT_INK, fill) >= 4.5
    for sign in graph._SIGNS.values():
        assert contrast("#ffffff", sign.strong) >= 4.5


def test_the_way_taken_is_marked():
    colours = [g.get("stroke") for g in parsed(graph.svg(EPISODE, waiting())).iter(f"{SVG}g")]
    # Start, ModifyState, ValidatePolicy, ChooseAction, TempRemove, and so to AskUser.
    assert colours.count(graph._TAKEN) == 5
    assert graph._TAKEN not in graph.svg(EPISODE)


def test_a_map_counts_its_items_and_containers_frame_their_states():
    root = parsed(graph.svg(NESTED, nested()))
    said = "\n".join(titles(root))
    assert "Each (Map · distributed): succeeded, 2 of 2 items" in said
    assert "2/2" in texts(root)
    machine = graph._layout(json.dumps(NESTED))
    outer, inner = [box.bounds for box in machine.boxes]
    assert outer[0] < inner[0]
    assert outer[0] + outer[2] > inner[0] + inner[2]
    look = next(node for node in machine.nodes if node.name == "Look")
    assert inner[0] < look.x < inner[0] + inner[2]
    assert inner[1] < look.y < inner[1] + inner[3]


def test_a_taken_catch_is_told_from_an_ordinary_arrow():
    script = Script()
    script.function("ValidatePolicy", failures=1, ends=False)
    script("TaskStateExited", name="ValidatePolicy", output="{}")
    script("FailStateEntered", name="Alarm", input="{}")
    picture = graph.svg({**EPISODE, "StartAt": "ValidatePolicy"}, script.events)
    widths = [
        path.get("stroke-width")
        for group in parsed(picture).iter(f"{SVG}g")
        if group.get("stroke") == graph._CAUGHT
        for path in group.findall(f"{SVG}path")
    ]
    assert "2.2" in widths
    assert "1" in widths


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
    picture = graph.svg(
        {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Pass", "Next": "Gone"},
                "B": {"Type": "Pass"},
                "C": {"Type": "Banana", "End": True},
                "D": {"Type": "Pass", "Next": "E"},
                "E": {"Type": "Pass", "Next": "D"},
            },
        }
    )
    said = titles(parsed(picture))
    assert "Gone (no such state)" in said
    assert "no Next (nowhere to go)" in said
    assert {f"{name} (Pass · unreachable)" for name in "BDE"} <= set(said)
    assert "C (unknown type 'Banana' · unreachable)" in said


@pytest.mark.parametrize("text", ["", "{", "[1]", "3"])
def test_what_is_no_definition_is_refused(text: str):
    with pytest.raises(ValueError, match="the definition is not"):
        graph.svg(text)


def test_graph_displays_itself():
    shown = graph.Graph(EPISODE, waiting())
    assert shown._repr_svg_() == graph.svg(EPISODE, waiting())
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


def test_json_text_and_parsed_are_the_same():
    assert graph.svg(json.dumps(EPISODE)) == graph.svg(EPISODE)


def test_a_redraw_does_not_lay_out_again(monkeypatch: pytest.MonkeyPatch):
    first = graph.svg(EPISODE)

    def never(*_: object) -> None:
        raise AssertionError("laid out again")

    monkeypatch.setattr(graph, "_dot", never)
    assert graph.svg(EPISODE, waiting()) != first
    assert graph.svg(EPISODE) == first


def test_threads_may_draw_at_once():
    definitions = [
        {"StartAt": f"S{n}", "States": {f"S{n}": {"Type": "Pass", "End": True}}} for n in range(60)
    ]
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(graph.svg, definitions))
    for number, picture in enumerate(pictures):
        assert f"S{number} (Pass)" in titles(parsed(picture))


def test_the_app_of_this_workbook():
    text = (Path(__file__).parents[2] / "app/statemachine/policy_guard.asl.json").read_text()
    said = "\n".join(titles(parsed(graph.svg(text))))
    assert all(name in said for name in json.loads(text)["States"])
    assert not re.search("no such state|unreachable|nowhere", said)
    assert overlaps(text) == []


# --- awkward ones ---

PASS = {"Type": "Pass", "End": True}
NAMES = [
    "<script>&\"'",
    "😀🎉 ✓",
    "W" * 80,
    "very long name " * 5,
    "${Name}",
    "\\N\\n\\l",
    "日本語" * 9,
]


def choice(*targets: object) -> dict:
    rules = [{"Variable": "$.x", "NumericEquals": n, "Next": t} for n, t in enumerate(targets)]
    return {"Type": "Choice", "Choices": rules}


AWKWARD = {
    "nothing": {},
    "no states": {"StartAt": "A", "States": {}},
    "states that are a list": {"StartAt": "A", "States": []},
    "no StartAt": {"States": {"A": PASS}},
    "one state": {"StartAt": "A", "States": {"A": PASS}},
    "states of no shape": {"StartAt": "A", "States": {"A": None, "B": [], "C": 3}},
    "a loop of one": {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}},
    "a loop of two": {
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}},
    },
    "names": {"StartAt": NAMES[0], "States": dict.fromkeys(NAMES, PASS)},
    "20 branches": {
        "StartAt": "C",
        "States": {
            "C": choice(*(f"T{n}" for n in range(20))),
            **{f"T{n}": PASS for n in range(20)},
        },
    },
    "20 rules to one": {"StartAt": "C", "States": {"C": choice(*["T"] * 20), "T": PASS}},
    "targets of no shape": {"StartAt": 3, "States": {"C": choice(None, 3, [], {}), "B": PASS}},
    "empty branches": {
        "StartAt": "P",
        "States": {
            "P": {"Type": "Parallel", "Branches": [], "Next": "Q"},
            "Q": {
                "Type": "Parallel",
                "Branches": [{}, {"StartAt": "x", "States": {}}],
                "Next": "M",
            },
            "M": {"Type": "Map", "ItemProcessor": {}, "Next": "N"},
            "N": {"Type": "Map", "End": True},
        },
    },
    "a container caught into itself": {
        "StartAt": "P",
        "States": {
            "P": {
                "Type": "Parallel",
                "Branches": [{"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "P"}}}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "P"}],
                "Next": "P",
            }
        },
    },
    "the same name inside": {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Map", "Iterator": {"StartAt": "A", "States": {"A": PASS}}, "End": True}
        },
    },
}


def deep(levels: int) -> dict:
    machine: dict = {"StartAt": "S0", "States": {"S0": PASS}}
    for level in range(1, levels):
        inside = {"Type": "Parallel", "Branches": [machine, machine], "End": True}
        if level % 2:
            inside = {"Type": "Map", "ItemProcessor": machine, "End": True}
        machine = {"StartAt": f"S{level}", "States": {f"S{level}": inside}}
    return machine


AWKWARD["nested nine deep"] = deep(9)
AWKWARD["a line of 300"] = {
    "StartAt": "S0",
    "States": {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(300)} | {"S300": PASS},
}


@pytest.mark.parametrize("definition", AWKWARD.values(), ids=AWKWARD)
def test_awkward_definitions(definition: dict):
    root = parsed(graph.svg(definition, timed_out_map()))
    said = "\n".join(titles(root))
    states = definition.get("States", {})
    assert all(name in said for name in states)
    assert overlaps(json.dumps(definition)) == []


def test_characters_that_xml_cannot_hold():
    parsed(
        graph.svg({"StartAt": "a\x00\ud800", "States": {"a\x00\ud800": PASS, "\uffff\x1b": PASS}})
    )


def machines(inner: st.SearchStrategy[dict]) -> st.SearchStrategy[dict]:
    """Definitions whose Parallel and Map states hold `inner` ones."""
    names = st.lists(st.text(max_size=12), unique=True, max_size=5)

    @st.composite
    def machine(draw: st.DrawFn) -> dict:
        found = draw(names)
        target = st.sampled_from([*found, "missing", None])
        states = {}
        for name in found:
            kind = draw(st.sampled_from([*graph._TYPES, "Unknown"]))
            state: dict = {"Type": kind, draw(st.sampled_from(["Next", "End"])): True}
            if "Next" in state:
                state["Next"] = draw(target)
            if draw(st.booleans()):
                state["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": draw(target)}]
            if kind == "Choice":
                state |= choice(*draw(st.lists(target, max_size=4)), draw(target))
            elif kind == "Parallel":
                state["Branches"] = draw(st.lists(inner, max_size=2))
            elif kind == "Map":
                state["ItemProcessor"] = draw(inner)
            states[name] = state
        return {"StartAt": draw(target), "States": states}

    return machine()


@settings(max_examples=60, deadline=None)
@given(machines(machines(machines(st.just({})))))
def test_any_definition_is_drawn(definition: dict):
    root = parsed(graph.svg(definition))
    said = titles(root)
    for name in definition["States"]:
        assert any(title.startswith(f"{graph._plain(name)} (") for title in said)
    assert overlaps(json.dumps(definition)) == []
