"""A stack's resources as a picture: every one is in it, and arrows are what properties refer to."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from helpers.anatomy import Anatomy


def _template() -> dict[str, Any]:
    policy = {"Policies": [{"Resource": {"Ref": "Topic"}}]}
    return {
        "Resources": {
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    # In the pattern, a role is somebody's who is not heard: not the rule's own.
                    "EventPattern": {"anything-but": {"Fn::GetAtt": ["AskRole", "Arn"]}},
                    "Targets": [
                        {"Arn": {"Ref": "Machine"}, "RoleArn": {"Fn::GetAtt": "RuleRole.Arn"}}
                    ],
                },
            },
            "RuleRole": {"Type": "AWS::IAM::Role", "Properties": policy},
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {"DefinitionSubstitutions": {"Ask": {"Fn::GetAtt": ["Ask", "Arn"]}}},
            },
            "Ask": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Role": {"Fn::GetAtt": ["AskRole", "Arn"]},
                    "Environment": {"URL": {"Fn::Sub": "https://${Api}.amazonaws.com/${Ask}"}},
                },
            },
            "AskRole": {"Type": "AWS::IAM::Role"},
            "Api": {"Type": "AWS::ApiGateway::RestApi"},
            "Deployment": {
                "Type": "AWS::ApiGateway::Deployment",
                "Properties": {"RestApiId": {"Ref": "Api"}},
            },
            "Stage": {
                "Type": "AWS::ApiGateway::Stage",
                "Properties": {"DeploymentId": {"Ref": "Deployment"}, "RestApiId": {"Ref": "Api"}},
            },
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Queue": {"Type": "AWS::SQS::Queue", "Condition": "Operations"},
            "Store": {"Type": "AWS::S3::Bucket"},
        }
    }


def test_each_resource_is_in_a_box_of_its_own_or_in_that_of_whom_it_serves() -> None:
    anatomy = Anatomy(_template())
    assert sorted(anatomy.boxes) == ["Api", "Ask", "Machine", "Rule", "Store", "Topic"]
    assert dict(anatomy.serving) == {
        "Rule": ["RuleRole"],
        "Ask": ["AskRole"],
        "Api": ["Deployment", "Stage"],
    }


def test_what_comes_only_with_a_condition_is_left_out() -> None:
    assert "Queue" not in Anatomy(_template()).resources


def test_arrows_are_the_references_between_boxes() -> None:
    assert Anatomy(_template()).arrows == [("Ask", "Api"), ("Machine", "Ask"), ("Rule", "Machine")]


def test_as_text_it_says_the_same() -> None:
    lines = repr(Anatomy(_template())).splitlines()
    assert "Ask (Lambda function + role) -> Api" in lines
    assert "Api (REST API + deployment + stage)" in lines
    assert "Store (AWS::S3::Bucket)" in lines


def test_the_picture_has_every_box_who_is_outside_and_words_for_who_cannot_see_it() -> None:
    html = Anatomy(_template())._repr_html_()
    picture = ET.fromstring(re.search(r"<svg.*</svg>", html, re.DOTALL)[0])  # noqa: S314, it is ours
    titles = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == "How 10 resources connect"
    for name in ("Ask", "Topic", "Store", "CloudTrail", "administrator"):
        assert any(title.startswith(f"{name} (") for title in titles), name
    assert 'alt="How 10 resources connect"' in html
