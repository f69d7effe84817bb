"""What the lessons do in a real account, step by step: the learner, and who reads the mail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from helpers import (
    approval,
    attack,
    bucket,
    execution,
    history,
    inbox,
    incident,
    inventory,
    laboratory,
    permission,
    policy,
    preflight,
    stack,
    storm,
    trail,
)
from helpers.errors import WorkbookError
from helpers.exercises import clean_up
from helpers.session import Session
from tests.account.playing import ADDRESS


@dataclass
class Course:
    """A learner's way through the lessons.

    ``aws`` is the learner's session, whose target is "aws"; ``person`` is at the mailbox.
    """

    aws: Session
    person: Session
    found: dict[str, Any] = field(default_factory=dict)

    # --- 00 and 01 ---------------------------------------------------------------------------

    def make_the_trail(self) -> None:
        assert trail.ensure(self.aws) == trail.NAME

    def check_all_is_ready(self) -> None:
        report = preflight.run(self.aws)
        if not report:
            raise WorkbookError(repr(report))

    def package_the_code(self) -> None:
        self.found["template"] = stack.package(self.aws)

    def propose(self) -> None:
        self.aws.client("cloudformation").create_change_set(
            StackName=stack.NAME,
            ChangeSetName="first",
            ChangeSetType="CREATE",
            TemplateBody=self.found["template"],
            Parameters=stack.parameters(email=ADDRESS),
            Capabilities=stack.CAPABILITIES,
        )
        assert len(stack.preview(self.aws, "first")) == stack.RESOURCES

    def deploy(self) -> None:
        cloudformation = self.aws.client("cloudformation")
        cloudformation.execute_change_set(StackName=stack.NAME, ChangeSetName="first")
        stack.follow(self.aws)
        cloudformation.get_template(StackName=stack.NAME, TemplateStage="Processed")
        self.found["app"] = stack.find(self.aws)

    def confirm_the_subscription(self) -> None:
        assert inbox.confirm_subscription(self.person).status == 200
        assert inbox.confirm_subscription(self.aws) == f"{ADDRESS} is subscribed."

    # --- 03 ----------------------------------------------------------------------------------

    def hire_mallory(self) -> None:
        self.found["mallory"] = incident.Mallory.hire(self.aws)

    def try_the_bucket(self) -> None:
        permission.wait_until(self.found["mallory"], allowed=False)
        assert self._attempt().error == "AccessDenied"

    def create_the_policy(self) -> None:
        document = json.dumps(incident.DOCUMENT)
        iam = self.aws.client("iam")
        iam.create_policy(PolicyName=incident.POLICY, PolicyDocument=document)

    def attach_the_policy(self) -> None:
        self._attach(incident.POLICY)

    def find_the_execution(self) -> None:
        self.found["execution"] = incident.execution(self.aws, self.app)
        events = incident.wait_for_question(self.aws, self.found["execution"])
        incident.exposure(self.aws, events)
        assert self._attempt().error == "AccessDenied"

    def read_a_step_s_log(self) -> None:
        seen = execution.look(self.aws, self.found["execution"])
        steps = history.steps(seen.events)
        row = next(step.Index for step in steps.itertuples() if step.step == "ValidatePolicy")
        assert seen.step(row).log(self.aws)

    # --- 04 ----------------------------------------------------------------------------------

    def see_the_question(self) -> None:
        assert approval.pending(self.aws, self.app)[0].in_force
        mail = inbox.newest(self.aws, incident.POLICY)
        links = inbox.newest(self.person, incident.POLICY).links
        # What stands behind the token is for the page to show.
        assert [link for link in links if link.startswith(self.person.url(mail.link("allow")))]

    def deny(self) -> None:
        approval.settle(self.aws, self.found["execution"], allow=False)
        events = incident.wait_for_end(self.aws, self.found["execution"])
        assert "Denied" in set(history.frame(events)["step"])
        assert policy.versions(self.aws).in_force.document != incident.DOCUMENT

    def approve_by_mail(self) -> None:
        needed = incident.NEEDED
        asking = incident.create(self.aws, self.app, needed)
        link = inbox.newest(self.aws, needed).link("allow")
        assert inbox.open_link(self.person.url(link)).status == 200
        assert inbox.press_button(inbox.newest(self.person, needed).link("allow")).status == 200
        assert incident.wait_for_end(self.aws, asking)[-1]["type"] == "ExecutionSucceeded"
        assert policy.versions(self.aws, needed).in_force.document == incident.DOCUMENT
        self._attach(needed)
        permission.wait_until(self.found["mallory"], allowed=True)
        assert self._attempt()

    # --- 10 ----------------------------------------------------------------------------------

    def find_the_logs(self) -> None:
        clean_up.log_groups(self.aws, lambda _: stack.log_groups(self.aws))

    def clean_up(self) -> None:
        incident.create(self.aws, self.app)  # it still waits when its machine is deleted
        for name in incident.policies(self.aws):
            incident.clear(self.aws, None, name)
        assert incident.Mallory.dismiss(self.aws)
        assert stack.delete(self.aws)
        assert stack.delete_logs(self.aws)
        assert trail.delete(self.aws)
        assert bucket.delete(self.aws)

    def prove_it(self) -> None:
        assert not inventory.of(self.aws)

    # --- the lessons with machines of the learner's own ----------------------------------------

    def make_a_function(self) -> None:
        code = "def lambda_handler(event, context):\n    print('seen')\n    return {}\n"
        for _ in range(2):  # made, then given its code again
            self.found["function"] = laboratory.function(self.aws, "workbook-f", code)

    def make_a_machine(self) -> None:
        arn = self.found["function"]
        role = laboratory.role(self.aws, "lambda:InvokeFunction")
        for comment in ("made", "updated"):
            task = {"Type": "Task", "Resource": arn, "End": True, "Comment": comment}
            definition = {"StartAt": "Ask", "States": {"Ask": task}}
            self.found["machine"] = laboratory.machine(self.aws, "workbook-m", definition, role)

    def run_it(self) -> None:
        ran = laboratory.run(self.aws, self.found["machine"], {"a": 1})
        seen = execution.look(self.aws, ran)
        assert seen.status == "SUCCEEDED"
        self.found["step"] = seen.step(0)

    def read_its_log(self) -> None:
        assert self.found["step"].log(self.aws)
        assert "/aws/lambda/workbook-f" in inventory.of(self.aws).found["Of the lessons"]

    def test_a_state(self) -> None:
        done = {"Type": "Pass", "End": True}
        states = self.aws.client("stepfunctions")
        role = laboratory.role(self.aws, "lambda:InvokeFunction")
        assert states.test_state(definition=json.dumps(done), roleArn=role)["status"] == "SUCCEEDED"

    def check_a_definition(self) -> None:
        done = {"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": True}}}
        states = self.aws.client("stepfunctions")
        found = states.validate_state_machine_definition(definition=json.dumps(done))
        assert found["result"] == "OK"

    def make_an_activity(self) -> None:
        states = self.aws.client("stepfunctions")
        states.create_activity(name="workbook-a")

    def map_distributed(self) -> None:
        role = laboratory.role(self.aws, "states:StartExecution", "states:DescribeExecution")
        done = {"Type": "Pass", "End": True}
        each = {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Done",
            "States": {"Done": done},
        }
        shared = {"Type": "Map", "ItemProcessor": each, "ItemsPath": "$.items", "End": True}
        definition = {"StartAt": "Each", "States": {"Each": shared}}
        machine = laboratory.machine(self.aws, "workbook-d", definition, role)
        ran = laboratory.run(self.aws, machine, {"items": [1, 2]})
        states = self.aws.client("stepfunctions")
        (map_run,) = states.list_map_runs(executionArn=ran)["mapRuns"]
        counts = states.describe_map_run(mapRunArn=map_run["mapRunArn"])["itemCounts"]
        assert counts["succeeded"] == 2

    def deploy_an_activity(self) -> None:
        cloudformation, name = self.aws.client("cloudformation"), "workbook-people"
        resource = {"Type": "AWS::StepFunctions::Activity", "Properties": {"Name": "workbook-b"}}
        template = json.dumps({"Resources": {"Appeals": resource}})
        cloudformation.create_stack(StackName=name, TemplateBody=template)
        stack.follow(self.aws, name, total=1)
        cloudformation.describe_stack_resource(StackName=name, LogicalResourceId="Appeals")
        assert stack.delete(self.aws, name)

    def attack_with_her_own(self) -> None:
        mallory, iam = incident.Mallory.hire(self.aws), self.aws.client("iam")
        document = json.dumps(incident.DOCUMENT)
        iam.put_user_policy(
            UserName=mallory.USER, PolicyName=attack.INLINE, PolicyDocument=document
        )
        assert incident.Mallory.dismiss(self.aws)

    def make_a_storm(self) -> None:
        iam, (name,) = self.aws.client("iam"), storm.names(1)
        iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(incident.DOCUMENT))
        iam.get_account_authorization_details(Filter=["LocalManagedPolicy"])
        assert storm.policies(self.aws) == [name]
        assert policy.versions(self.aws, name, []).in_force
        assert incident.clear(self.aws, None, name)

    def delete_what_was_made(self) -> None:
        assert {"workbook-a", "workbook-f", "workbook-m"} <= set(laboratory.delete(self.aws))
        assert not laboratory.made(self.aws)

    # --- parts -------------------------------------------------------------------------------

    @property
    def app(self) -> stack.App:
        return self.found["app"]

    def _attempt(self) -> incident.Attempt:
        s3 = self.found["mallory"].client("s3")
        return incident.attempt(s3.delete_bucket, Bucket=bucket.bait(self.aws))

    def _attach(self, name: str) -> None:
        arn = incident.policy_arn(self.aws, name)
        user = incident.Mallory.USER
        self.aws.client("iam").attach_user_policy(UserName=user, PolicyArn=arn)


@dataclass(frozen=True)
class Package:
    """What `stack.package` has made: the template, the bucket it names, and what is in that."""

    template: str
    bucket: str
    objects: dict[str, bytes]

    @classmethod
    def made(cls, session: Session) -> Package:
        """Package the app, which takes a second or more."""
        template, where, s3 = stack.package(session), bucket.name(session), session.client("s3")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=where)["Contents"]]
        objects = {key: s3.get_object(Bucket=where, Key=key)["Body"].read() for key in keys}
        return cls(template, where, objects)


@dataclass
class QuickCourse(Course):
    """The same with a package that was made before."""

    package: Package | None = None

    def package_the_code(self) -> None:
        where, s3 = bucket.ensure(self.aws), self.aws.client("s3")
        for key, content in self.package.objects.items():
            s3.put_object(Bucket=where, Key=key, Body=content)
        self.found["template"] = self.package.template.replace(self.package.bucket, where)


Step = Callable[[Course], None]

EPISODE: tuple[Step, ...] = (
    Course.make_the_trail,
    Course.check_all_is_ready,
    Course.package_the_code,
    Course.propose,
    Course.deploy,
    Course.confirm_the_subscription,
    Course.hire_mallory,
    Course.try_the_bucket,
    Course.create_the_policy,
    Course.attach_the_policy,
    Course.find_the_execution,
    Course.read_a_step_s_log,
    Course.see_the_question,
    Course.deny,
    Course.approve_by_mail,
    Course.find_the_logs,
    Course.clean_up,
    Course.prove_it,
)
LESSONS: tuple[Step, ...] = (
    Course.make_a_function,
    Course.make_a_machine,
    Course.run_it,
    Course.read_its_log,
    Course.test_a_state,
    Course.check_a_definition,
    Course.make_an_activity,
    Course.map_distributed,
    Course.deploy_an_activity,
    Course.attack_with_her_own,
    Course.make_a_storm,
    Course.delete_what_was_made,
)


def first_failure(course: Course, steps: tuple[Step, ...]) -> tuple[str, Exception] | None:
    """Take the steps until one fails; return its name and why, None where all were taken."""
    for step in steps:
        try:
            getattr(course, step.__name__)()
        except Exception as error:
            if isinstance(error, AssertionError):
                raise
            return step.__name__, error
    return None
