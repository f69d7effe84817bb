"""The role that a task names in its Credentials: taken on by the machine's role, if it may.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-access-cross-acct-resources.html
"""

from __future__ import annotations

from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import (
    StateCredentials,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.eval.environment import Environment

_credentials_of = StateTask._eval_state_credentials


def install() -> None:
    """Tell such a role from the machine's own; moto gives every task any role."""
    StateTask._eval_state_credentials = state_credentials


class BorrowedRole(StateCredentials):
    """A role that is not the machine's own. AWS sends ``machine``, its ARN, as the external id."""

    def __init__(self, role_arn: str, own_role: str, machine: str) -> None:
        """Keep the three ARNs."""
        super().__init__(role_arn=role_arn)
        self.own_role = own_role
        self.machine = machine


def state_credentials(self: StateTask, env: Environment) -> StateCredentials:
    """Return the role that a task acts with. Takes the place of moto's method."""
    given, own = _credentials_of(self, env), env.aws_execution_details.role_arn
    if given.role_arn == own:
        return given
    machine = env.states.context_object.context_object_data["StateMachine"]["Id"]
    return BorrowedRole(given.role_arn, own, machine)
