"""Every place where MiniStack or moto is reached into, and why: a moved one fails here.

The two are pinned exactly in pyproject.toml. What a seam does is tested in the other files;
here it is that the place is still there and still what we think it is.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SEAMS = {
    "MiniStack runs an execution through a module-level function, looked up when it starts one": """
from ministack.services import stepfunctions
assert stepfunctions._start_execution.__code__.co_names.count('_run_execution') == 1
assert stepfunctions._start_sync_execution.__code__.co_names.count('_run_execution') == 1
""",
    "moto gives an execution its events as one growing list": """
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
assert EventManager()._history_event_list == []
""",
    "moto's program states are the four that end an execution": """
from moto.stepfunctions.parser.asl.eval import program_state
names = {kind.__name__ for kind in program_state.ProgramState.__subclasses__()}
assert names == {'Program' + end for end in 'Ended Error Stopped TimedOut Running'.split()}
""",
    "moto's tasks make clients through boto_client_for, copied on import": """
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
assert lambda_eval_utils.boto_client_for is clients.client_for
""",
    "moto keeps threads in a list of its own, which must not grow": """
from moto.stepfunctions.parser.backend import execution_worker
execution_worker.TMP_THREADS.append(object())
assert len(execution_worker.TMP_THREADS) == 0
""",
    "moto's EC2 simulator is not loaded: it costs 1.4 s of the start": """
import sys
assert 'moto.ec2.models' not in sys.modules
""",
    "MiniStack's worker script reports a handler's exception in the line that is replaced": """
from helpers.localaws import functions
from ministack.core import lambda_runtime
assert lambda_runtime._PYTHON_WORKER_SCRIPT.count(functions._REPORT) == 1
""",
    "MiniStack starts workers with subprocess.Popen of its module": """
from ministack.core import lambda_runtime
assert 'subprocess' in lambda_runtime.Worker._spawn.__code__.co_names
""",
    "MiniStack dispatches every request through one function of its app module": """
import ministack.app
assert '_dispatch_service_request' in ministack.app.app.__code__.co_names
""",
    "MiniStack's EventBridge lets only built-in emitters publish aws.* sources": """
from ministack.services import eventbridge
import json
entry = {'Source': 'aws.iam', 'DetailType': 'x', 'Detail': '{}'}
answer = json.loads(eventbridge._put_events({'Entries': [entry]})[2])
assert answer['FailedEntryCount'] == 1
""",
    "MiniStack fans a topic's message out through one function of its module": """
from ministack.services import sns
assert sns.publish_internal.__code__.co_names.count('_fanout') == 1
""",
    "hypercorn leaves a closed connection to its idle task": """
import inspect
from hypercorn.asyncio.tcp_server import TCPServer
assert list(inspect.signature(TCPServer._read_data).parameters) == ['self']
assert 'idle_task' in inspect.getsource(TCPServer)
""",
    "MiniStack's IAM looks operations up by name, and has none that puts a version in force": """
from ministack.services import iam
assert '_IAM_HANDLERS' in iam.handle_request.__code__.co_names
assert 'SetDefaultPolicyVersion' not in iam._IAM_HANDLERS
""",
    "MiniStack numbers a policy's version after the highest one that is left": """
import inspect
from ministack.services import iam
source = inspect.getsource(iam._create_policy_version)
assert 'max((int(v.lstrip("v")) for v in pol["Versions"])' in source
""",
    "MiniStack's CloudFormation gives a topic a default policy without a condition": """
import inspect
from ministack.services.cloudformation import provisioners
source = inspect.getsource(provisioners._RESOURCE_HANDLERS['AWS::SNS::Topic']['create'])
assert '__default_statement_ID' in source and 'Condition' not in source
""",
    "MiniStack's import of OpenAPI documents goes path by path": """
from ministack.services import apigateway_v1
assert '_import_path_item' in apigateway_v1._import_rest_api.__code__.co_names
""",
    "MiniStack's change sets compare two templates that one function has prepared": """
from ministack.services.cloudformation import changesets
assert '_resolve_props_for_diff' in changesets._create_change_set.__code__.co_names
both = {'Resources': {'A': {'Condition': 'No'}, 'B': {}}}
both['Conditions'] = {'No': {'Fn::Equals': [1, 2]}}
assert changesets._resolve_props_for_diff(both, {}, 's', 'i')['Resources'].keys() == {'A', 'B'}
""",
    "moto's task tokens come from the states module's long_uid": """
from moto.stepfunctions.parser.asl.eval import states
interpreter.install()  # from here on the joined libraries
context = states.ContextObject({})
assert context.update_task_token().startswith('AQC')
""",
    "moto evaluates JSONata through one function": """
from moto.stepfunctions.parser.asl.jsonata import jsonata
assert jsonata.eval_jsonata_expression('1 + 1') == 2
""",
}


RUN_ALL = """
import json, os, sys, traceback
os.environ.update(AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_SECRET_ACCESS_KEY="none")
import helpers.localaws.imports
from helpers.localaws import clients, interpreter
faults = {}
for reason, code in json.load(sys.stdin).items():
    try:
        exec(code)
    except Exception:
        faults[reason] = traceback.format_exc()
json.dump(faults, sys.stdout)
"""


@pytest.fixture(scope="module")
def faults() -> dict[str, str]:
    # One process of their own for all: what they change must not reach another test.
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps(SEAMS),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("reason", SEAMS)
def test_seam(reason: str, faults: dict[str, str]) -> None:
    assert reason not in faults, faults.get(reason)
