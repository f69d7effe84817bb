"""Awkward definitions, each by name: all of it is drawn, nothing over anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from helpers import graph
from tests.unit.pictures import Picture
from tests.unit.test_graph_any import read
from tests.unit.test_history import timed_out_map, waiting

PASS = {"Type": "Pass", "End": True}
ERRORS = ["States.ALL"]
NAMES = {
    "quotes": "\"it's\" 'quoted' \\N \\\"",
    "markup": "<script>alert(1)</script> & <b>",
    "emoji": "👩‍👩‍👧 😀🎉 ✓",
    "80 characters": "W" * 80,
    "80 characters in words": "to wait for the answer of a person who reads mail " * 2,
    "one word of 128 letters": "supercalifragilistic" * 6 + "words...",
    "a substitution": "${Name}",
    "Chinese": "日本語" * 9,
    "right to left": "انتظر موافقة الشخص المسؤول",
    "left and right": "שלב 2 of 3 \u202egnorw\u202c",
    "a new line": "first\nsecond\r\nthird\t.",
    "control characters": "a\x00\ud800\uffff\x1b",
    "combining marks": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
    "a space": " ",
    "nothing": "",
}


def line(*names: str, **states: dict) -> dict:
    """A machine of Pass states one after another, some of them replaced."""
    found = {name: {"Type": "Pass", "Next": after} for name, after in zip(names, names[1:])}  # noqa: B905, RUF007
    return {"StartAt": names[0], "States": found | {names[-1]: PASS} | states}


def choice(*targets: object, **more: object) -> dict:
    rules = [{"Variable": "$.x", "NumericEquals": n, "Next": t} for n, t in enumerate(targets)]
    return {"Type": "Choice", "Choices": rules, **more}


def parallel(*branches: object, **more: object) -> dict:
    return {"Type": "Parallel", "Branches": list(branches), **({"End": True} | more)}


def each(processor: object, **more: object) -> dict:
    return {"Type": "Map", "ItemProcessor": processor, **({"End": True} | more)}


def caught(target: object) -> dict:
    return {"Catch": [{"ErrorEquals": ERRORS, "Next": target}]}


def deep(levels: int) -> dict:
    machine = line("L0")
    for level in range(1, levels):
        inside = parallel(machine) if level % 2 else each(machine)
        machine = {"StartAt": f"L{level}", "States": {f"L{level}": inside}}
    return machine


LAMBDA = {"Type": "Task", "Resource": "${Arn}", "Retry": [{"ErrorEquals": ERRORS}]}
# The definition, and what is in a tooltip of it.
AWKWARD: dict[str, tuple[dict, str]] = {
    "nothing at all": ({}, ""),
    "no States": ({"StartAt": "A"}, "A (no such state)"),
    "empty States": ({"StartAt": "A", "States": {}}, "A (no such state)"),
    "States that are a list": ({"StartAt": "A", "States": ["A"]}, "A (no such state)"),
    "missing StartAt": ({"States": {"A": PASS}}, "no StartAt (nowhere to go)"),
    "StartAt that is a number": ({"StartAt": 3, "States": {"A": PASS}}, "A (Pass · unreachable)"),
    "StartAt of another place": ({"StartAt": "B", "States": {"A": PASS}}, "B (no such state)"),
    "one state": (line("A"), "A (Pass)"),
    "states of no shape": ({"StartAt": "A", "States": {"A": None, "B": [], "C": 3}}, "A (no Type)"),
    "unknown type": (line("A", A={"Type": "Banana"}), "unknown type 'Banana'"),
    "type that is a number": (line("A", A={"Type": 7, "End": True}), "unknown type 7"),
    "a loop of one": (line("A", A={"Type": "Pass", "Next": "A"}), "A (Pass)"),
    "a loop of two": (line("A", "B", B={"Type": "Pass", "Next": "A"}), "B (Pass)"),
    "a loop of two choices in containers": (
        line("M", M=each(line("N", N=each(line("C", "D", C=choice("D"), D=choice("C")))))),
        "D (Choice)",
    ),
    "a loop that is chosen": (line("A", "B", "C", C=choice("A", "B", "C")), "C (Choice)"),
    "Catch to itself": (line("A", A=LAMBDA | caught("A") | {"End": True}), "A (Task · ${Arn})"),
    "Next and Catch to itself": (line("A", A=LAMBDA | caught("A") | {"Next": "A"}), "A (Task"),
    "missing targets": (
        line("A", "B", "C", A=LAMBDA | caught("X") | {"Next": "Y"}, B=choice("Z", Default="Z")),
        "X (no such state)",
    ),
    "targets of no shape": (
        line("A", "B", A=choice(None, 3, [], {}, Default=7), B=caught(None) | PASS),
        "no Next (nowhere to go)",
    ),
    "no way on": (line("A", A={"Type": "Pass"}), "no Next (nowhere to go)"),
    "a Choice without rules": (line("A", A={"Type": "Choice"}), "no Default (nowhere to go)"),
    "a Choice with 20 branches": (
        line("C", C=choice(*(f"T{n}" for n in range(20))), **{f"T{n}": PASS for n in range(20)}),
        "T19 (Pass)",
    ),
    "20 branches that lead to one another": (
        {
            "StartAt": "C",
            "States": {
                "C": choice(*(f"T{n}" for n in range(20)), "C"),
                **{
                    f"T{n}": each(
                        line(f"In{n}"), Next=f"T{(n + 16) % 20}", End=False, **caught("C")
                    )
                    for n in range(20)
                },
            },
        },
        "T19 (Map",
    ),
    "20 rules to one state": (line("C", "T", C=choice(*["T"] * 20, Default="T")), "T (Pass)"),
    "rules of no shape": (line("C", C={"Type": "Choice", "Choices": [3, None, {"And": 4}]}), "C ("),
    "a rule of 3,000 letters": (
        line("C", "T", C={"Type": "Choice", "Choices": [{"Condition": "x" * 3000, "Next": "T"}]}),
        "T (Pass)",
    ),
    "Branches that are text": (
        line("P", P={"Type": "Parallel", "Branches": "x", "End": 1}),
        "0 br",
    ),
    "no branches": (line("P", "Q", P=parallel(Next="Q", End=False)), "P (Parallel · 0 branches)"),
    "empty branches": (
        line("P", P=parallel({}, {"States": {}}, None)),
        "P (Parallel · 3 branches)",
    ),
    "20 branches": (line("P", P=parallel(*(line(f"B{n}") for n in range(20)))), "B19 (Pass)"),
    "a Map without a processor": (line("M", M={"Type": "Map", "End": True}), "M (Map · for each"),
    "a Map with an Iterator": (line("M", M={"Type": "Map", "Iterator": line("A")}), "A (Pass)"),
    "a Map with both": (line("M", M=each(line("A"), Iterator=line("B"))), "A (Pass)"),
    "a distributed Map of nothing": (
        line("M", M=each({"ProcessorConfig": {"Mode": "DISTRIBUTED"}})),
        "M (Map · distributed)",
    ),
    "Next into another branch": (
        line("P", P=parallel(line("A"), line("B", B={"Type": "Pass", "Next": "A"}))),
        "A (in another branch)",
    ),
    "Next out of a branch": (
        line("P", "Z", P=parallel(line("A", A={"Type": "Pass", "Next": "Z"}), Next="Z", End=0)),
        "Z (in another branch)",
    ),
    "one name in two branches": (line("P", P=parallel(line("A"), line("A"))), "name used twice"),
    "a container's own name inside": (line("A", A=each(line("A"))), "name used twice"),
    "a container caught into itself": (
        line("P", P=parallel(line("A"), Next="P", End=False, Retry=[{}], **caught("P"))),
        "P (Parallel · 1 branch)",
    ),
    "loops through nested containers": (
        line(
            "A",
            "P",
            "B",
            P=parallel(line("C", "D", D=each(line("E"), **caught("C"))), **caught("A")),
            B=choice("A", "P", "B"),
        ),
        "E (Pass)",
    ),
    "everything fails to one place": (
        line("Start", "End", "Alarm", **{n: LAMBDA | caught("Alarm") for n in ("Start", "End")}),
        "Alarm (Pass)",
    ),
    "nested ten deep": (deep(10), "L0 (Pass)"),
    "nested a hundred deep": (deep(100), "L99 (Parallel · 1 branch)"),
    "100 states in a line": (line(*(f"S{n}" for n in range(100))), "S99 (Pass)"),
    "100 states unreachable": (line("A", **{f"S{n}": PASS for n in range(100)}), "S99 (Pass · unr"),
    "numbers where text belongs": (
        line(
            "A",
            "B",
            "C",
            "D",
            "E",
            A={"Type": "Task", "Resource": 5, "Next": "B", "Comment": 3},
            B={"Type": "Wait", "Seconds": "3", "Next": "C"},
            C={"Type": "Fail", "Error": 5, "Cause": {}},
            D={"Type": "Task", "Retry": 3, "Catch": {"Next": 3}, "Next": 7.5, "End": "yes"},
            E={"Type": "Pass", "Retry": [{"ErrorEquals": 3, "MaxAttempts": None}, 5], "End": True},
        ),
        "C (Fail · 5)",
    ),
    "text where numbers belong": (
        line("A", A=PASS | {"Retry": [{"ErrorEquals": "X", "MaxAttempts": "${Most}"}]}),
        "A (Pass)",
    ),
    **{f"a name of {what}": (line(name), "(Pass)") for what, name in NAMES.items()},
    "all these names": (line(*NAMES.values()), "(Pass)"),
}


def names(machine: object) -> Iterator[str]:
    """Every state's name, found in another way than the picture's."""
    if isinstance(machine, list):
        for part in machine:
            yield from names(part)
    elif isinstance(machine, dict):
        states = machine.get("States")
        if isinstance(states, dict):
            yield from states
            yield from names(list(states.values()))
        yield from names([machine.get(key) for key in ("Branches", "ItemProcessor")])
        if "ItemProcessor" not in machine:
            yield from names(machine.get("Iterator"))


@pytest.mark.parametrize(("definition", "said"), AWKWARD.values(), ids=AWKWARD)
def test_awkward_definitions(definition: dict, said: str):
    for events in ([], waiting(), timed_out_map()):
        picture = Picture(graph.svg(definition, events))
        assert picture.faults() == []
        assert said in "\n".join(picture.titles)
        for name in names(definition):
            boxes = [box for box in picture.boxes if box.title.startswith(f"{read(name)} (")]
            assert boxes
            assert all(written(name) in "".join("".join(box.lines).split()) for box in boxes)
    shown = graph.Graph(json.dumps(definition))
    assert repr(shown)
    assert shown._repr_html_()


def written(name: str) -> str:
    """What a box shows of a name: it may be broken into lines, at spaces or between letters."""
    return "".join(read(name).split())


def test_a_line_of_300_states():
    picture = Picture(graph.svg(line(*(f"S{n}" for n in range(300)))))
    assert len(picture.boxes) == 300
    assert picture.faults() == []


# Each type of state, three containers deep.
TYPES: dict[str, dict] = {
    "Task": LAMBDA | {"End": True},
    "Pass": PASS,
    "Choice": choice("In", Default="In"),
    "Wait": {"Type": "Wait", "SecondsPath": "$.seconds", "End": True},
    "Succeed": {"Type": "Succeed"},
    "Fail": {"Type": "Fail", "ErrorPath": "$.error"},
    "Parallel": parallel(line("Left"), line("Right")),
    "Map": each(line("Item") | {"ProcessorConfig": {"Mode": "DISTRIBUTED"}}),
}
CONTAINERS = {
    "Parallel": lambda inner: parallel(inner, line("Beside")),
    "Map": lambda inner: each(inner | {"ProcessorConfig": {"Mode": "INLINE"}}),
}


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
@pytest.mark.parametrize("around", CONTAINERS)
@pytest.mark.parametrize("kind", TYPES)
def test_each_type_of_state_three_deep(kind: str, around: str, language: str):
    definition = line("In", In=TYPES[kind])
    for number, container in enumerate([around, "Map", around]):
        name = f"{container} {number}"
        inside = CONTAINERS[container](definition)
        text = json.dumps(inside).replace('"Beside"', f'"Beside {number}"')
        definition = line(name, "After", **{name: json.loads(text) | {"Next": "After"}})
        del definition["States"][name]["End"]
        definition = json.loads(json.dumps(definition).replace('"After"', f'"After {number}"'))
    picture = Picture(graph.svg({"QueryLanguage": language} | definition))
    assert picture.faults() == []
    assert sorted(names(definition)) == sorted(title.split(" (")[0] for title in picture.titles)
    frames = sum(" (Map" in title or " (Parallel" in title for title in picture.titles)
    assert len(picture.frames) == frames
    at = picture.box("In").place
    holding = [f for f in picture.frames if f[0] < at[0] and f[1] < at[1] and f[2] > at[2]]
    assert len(holding) == 3 + (kind in CONTAINERS)
