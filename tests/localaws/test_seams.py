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
    "MiniStack looks its operations up by name at each request": """
from helpers.localaws import states
from ministack.services import stepfunctions
names = stepfunctions.handle_request.__code__.co_names
announced = {'_emit_execution_status_event'}
assert set(states.OPERATIONS) - announced <= set(names)
assert announced <= set(stepfunctions._start_execution.__code__.co_names)
""",
    "MiniStack's application asks a service's module for handle_request at each request": """
import inspect, ministack.app
assert ' mod.handle_request(method, path, ' in inspect.getsource(ministack.app)
""",
    "MiniStack has no RedriveExecution": """
from ministack.services import stepfunctions
assert 'RedriveExecution' not in str(stepfunctions.handle_request.__code__.co_consts)
""",
    "MiniStack looks for a request's resource in a body that nobody has checked": """
from ministack.core import iam_actions
assert '_safe_json_field' in iam_actions.extract_resource_arn.__code__.co_names
try:
    iam_actions._safe_json_field(b'\\xff', 'name')
except UnicodeDecodeError:
    pass
else:
    raise AssertionError('it is safe by now: drop requests.json_field')
""",
    "moto's program begins at start_at, and its states are known by name": """
from moto.stepfunctions.parser.asl.component.common.flow.start_at import StartAt
program = interpreter.parse('{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
assert isinstance(program.start_at, StartAt) and list(program.states.states) == ['A']
""",
    "moto numbers events by a generator, and knows the one before by its context": """
from moto.stepfunctions.parser.asl.eval.event.event_manager import (
    EventHistoryContext, EventManager)
manager, context = EventManager(), EventHistoryContext.of_program_start()
manager._event_id_gen._next_id = 7
context.source_event_id = context.last_published_event_id = 6
manager.add_event(context, 'ExecutionRedriven')
event, = manager._history_event_list
assert (event['id'], event['previousEventId']) == (7, 6)
""",
    "moto's variables are in two scopes": """
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
store = VariableStore()
store.set('a', 1)
assert (store._inner_scope, store._outer_scope) == ({'a': 1}, {})
""",
    "moto's states are evaluated by the methods that TestState watches": """
import json
retry = [{'ErrorEquals': ['X']}]
task = {'Type': 'Task', 'Resource': 'arn:aws:states:::sns:publish', 'End': True, 'Retry': retry,
        'InputPath': '$', 'Parameters': {}, 'ResultSelector': {}, 'ResultPath': '$',
        'Catch': [{'ErrorEquals': ['X'], 'Next': 'A'}]}
program = interpreter.parse(json.dumps({'StartAt': 'A', 'States': {'A': task}}))
state = program.states.states['A']
for part in 'input_path parargs result_selector result_path'.split():
    assert getattr(state, part)._eval_body
assert state._eval_execution and state._from_error and state._handle_retry
assert state.retry.retriers[0].error_equals.eval and state.catch.catchers[0]._eval_body
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
    "MiniStack has one secret for every account's root, copied on import by these modules only": """
import sys
from ministack.core import iam_evaluator
from ministack.services import s3, s3_object_lambda, sts
import ministack.services.lambda_svc, ministack.services.stepfunctions, ministack.services.sns
from helpers.localaws import signatures
known = [module for name, module in sys.modules.items()
         if name.startswith('ministack.') and hasattr(module, 'resolve_credential')]
assert set(known) == set(signatures._RESOLVERS)
one, other = (iam_evaluator.resolve_credential(n * 12, n * 12).secret_access_key for n in '12')
assert one == other
""",
    "MiniStack makes a function's credentials from names alone": """
from ministack.core import lambda_runtime
from ministack.services import lambda_svc
assert lambda_svc.execution_credentials is lambda_runtime.execution_credentials
names = lambda_runtime.execution_credentials.__code__.co_names
assert 'sha256' in names and 'hmac' not in names
assert 'execution_credentials' in lambda_runtime.Worker._spawn.__code__.co_names
""",
    "MiniStack lets every account's root pass for a service in a trust policy": """
from ministack.core import iam_evaluator
service = {'Service': 'x.amazonaws.com'}
document = {'Statement': {'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': service}}
assert iam_evaluator.evaluate_trust_policy(document, 'arn:aws:iam::111111111111:root')
from helpers.localaws import trust
trust.install()
assert not iam_evaluator.evaluate_trust_policy(document, 'arn:aws:iam::111111111111:root')
""",
    "MiniStack notes whose signature it has checked, and who signs nothing": """
from ministack.core import iam_evaluator
assert '_verified_key' in iam_evaluator.authenticate.__code__.co_names
assert '_anonymous' in iam_evaluator.pin_signed_request.__code__.co_names
assert iam_evaluator._UNSIGNED_LINK_ACTIONS == {'sns:ConfirmSubscription', 'sns:Unsubscribe'}
import ministack.app
assert 'enforce' in ministack.app._dispatch_service_request.__code__.co_names
""",
    "MiniStack looks for an API that nobody signs for in its own account": """
import ministack.app
from ministack.services import apigateway_v1
names = ministack.app._handle_special_data_plane_request.__code__.co_names
assert '_handle_execute_api_request' in names
assert 'get_account_id' in apigateway_v1.find_api_scope.__code__.co_names
host, path = 'localhost', '/restapis/abc/Prod/_user_request_/allow'
assert ministack.app._parse_execute_api_url(host, path) == ('abc', 'Prod', '/allow')
""",
    "MiniStack's CloudTrail knows no pages, and takes any bucket": """
from ministack.services import cloudtrail, s3
assert '_DISPATCH' in cloudtrail.handle_request.__code__.co_names
assert 'NextToken' not in cloudtrail._lookup_events.__code__.co_consts
assert 's3' not in ' '.join(cloudtrail._create_trail.__code__.co_names).lower()
assert s3._bucket_owner_account('none') is None
""",
    "MiniStack's SNS looks operations up by name, and checks no subject": """
from ministack.services import sns
names = {'_subscribe', '_confirm_subscription', '_unsubscribe', '_list_subscriptions'}
assert names <= set(sns.handle_request.__code__.co_names)
assert 'publish_internal' in sns._publish.__code__.co_names
constants = str(sns.publish_internal.__code__.co_consts)
assert 'Subject' not in constants and 'structure' not in constants.replace('message_structure', '')
""",
    "MiniStack's CloudFormation names a topic's sender after the topic": """
import inspect
from ministack.services.cloudformation import provisioners
handlers = provisioners._RESOURCE_HANDLERS['AWS::SNS::Topic']
for handler in handlers['create'], handlers['update']:
    assert 'get("DisplayName", name)' in inspect.getsource(handler)
assert list(inspect.signature(handlers['create']).parameters)[1] == 'props'
assert list(inspect.signature(handlers['update']).parameters)[2] == 'new_props'
""",
    "moto gives a task any role that it names": """
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task
assert 'sts' not in str(state_task.StateTask._eval_state_credentials.__code__.co_names)
""",
    "moto starts threads, which begin in the server's own account": """
import threading
from moto.stepfunctions.parser.asl.component.program import program
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from helpers.localaws import threads
assert all(module.threading is threading for module in threads._MODULES)
assert execute_state.Thread is threading.Thread
""",
    "moto's task tokens come from the states module's long_uid": """
from moto.stepfunctions.parser.asl.eval import states
interpreter.install()  # from here on the joined libraries
context = states.ContextObject({})
assert context.update_task_token().startswith('AQC')
""",
    "moto evaluates JSONata in one method, and expects a Java virtual machine there": """
from moto.stepfunctions.parser.asl.component.common.string import string_expression
assert string_expression.StringJSONata._eval_body is expressions._evaluate_string
""",
    "moto reads every path through one function, copied on import": """
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.eval import states
assert string_expression.extract_json is states.extract_json is paths.extract
""",
    "moto's executions take their events from the environment's EventManager": """
from moto.stepfunctions.parser.asl.eval import environment
assert environment.EventManager is events.History
assert 'EventManager' in environment.Environment.__init__.__code__.co_names
""",
    "moto gives up a task by closing its frame, while its thread goes on": """
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
assert 'close_frame' in ExecutionState._evaluate_with_timeout.__code__.co_names
""",
    "moto asks a state's _from_error before its Retry and Catch": """
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import state_parallel
from moto.stepfunctions.parser.asl.component.state.exec.state_map import state_map
for state in (ExecutionState, state_parallel.StateParallel, state_map.StateMap):
    names = state._eval_state.__code__.co_names
    assert names.index('_from_error') < names.index('_handle_retry')
""",
    "moto's names of errors refuse those that begin with States.": """
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
assert iteration_worker.CustomErrorName is failures.named
""",
    "moto's grammar knows no ItemBatcher, and no whole percentage": """
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
import json
for field in ({'ItemBatcher': {'MaxItemsPerBatch': 1}}, {'ToleratedFailurePercentage': 5}):
    item = {'StartAt': 'B', 'States': {'B': {'Type': 'Succeed'}}}
    state = {'Type': 'Map', 'ItemProcessor': item, 'End': True, **field}
    try:
        AmazonStateLanguageParser.parse(json.dumps({'StartAt': 'A', 'States': {'A': state}}))
    except Exception:
        continue
    raise AssertionError(f'{field} is understood now: distributed.adapt need not take it out')
""",
    "moto runs a distributed Map's children through two methods": """
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component as component,
)
names = component.DistributedIterationComponent._eval_body.__code__.co_names
assert '_map_run' in names
assert component.DistributedIterationComponent._map_run is distributed.run_children
""",
    "moto leaves a task's parameters as they are, whatever the service calls them": """
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service as service,
)
names = service.StateTaskService._eval_execution.__code__.co_names
assert {'_normalise_parameters', '_normalise_response'} <= set(names)
assert service.to_json_str({'a': 'é'}) == '{"a":"é"}'
""",
}


RUN_ALL = """
import json, os, sys, traceback
os.environ.update(AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_SECRET_ACCESS_KEY="none")
import helpers.localaws.imports
from helpers.localaws import (
    clients, distributed, events, expressions, failures, interpreter, paths
)
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
