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
    "MiniStack starts an execution's thread with its module's threading": """
from ministack.services import stepfunctions
assert {'threading', 'Thread'} <= set(stepfunctions._start_execution.__code__.co_names)
""",
    "moto's interpreter waits, sleeps and starts threads in these modules, and in no others": """
import importlib, importlib.util, pathlib, re
from helpers.localaws import turns
root = pathlib.Path(importlib.util.find_spec(turns._ASL).origin).parent
waits = re.compile(r'\\bThread\\(|\\bEvent\\(\\)|threading.Event\\(|time.sleep\\(')
# The others are moto's own TestState, and a map run's flag that nobody waits for.
others = {'component/test_state', 'itemprocessor/map_run_record.py'}
found = {
    f"{turns._ASL}.{'.'.join(path.relative_to(root).with_suffix('').parts)}"
    for path in root.rglob('*.py')
    if waits.search(path.read_text()) and not any(other in str(path) for other in others)
}
assert found == set(turns.WAITING), found ^ set(turns.WAITING)
for module in map(importlib.import_module, turns.WAITING):
    assert {'threading', 'Thread', 'Event', 'time'} & set(vars(module)), module
""",
    "moto's program starts a thread for what EvalComponent.eval does": """
import inspect
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.program.program import Program
assert Program.__mro__[1] is EvalComponent
source = inspect.getsource(inspect.getmodule(Program))
assert 'env.next_state_name = self.start_at.start_at_name' in source
assert 'threading.Thread(target=super().eval, args=(env,)' in source
""",
    "botocore's clients send through their endpoint's session": """
client = clients.client_for('us-east-1', 'sns', type('R', (), {
    'role_arn': 'arn:aws:iam::123456789012:role/r'}))
assert client._endpoint.http_session.send.__name__ == 'lending'
assert 'http_session' in type(client._endpoint)._send.__code__.co_names
""",
    "moto's task waits for a heartbeat though its answer has come before": """
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackEndpoint, CallbackOutcomeSuccess)
from helpers.localaws.tokens import TokenPool, TokenRegistry
outcome = CallbackOutcomeSuccess('t', '1')
endpoint = CallbackEndpoint('t')
endpoint.notify(outcome)
assert not endpoint.setup_heartbeat_endpoint(1)._next_heartbeat_event.is_set()
TokenPool.registry = TokenRegistry()
ours = TokenPool({}).add('t')
ours.notify(outcome)
assert ours.setup_heartbeat_endpoint(heartbeat_seconds=1)._next_heartbeat_event.is_set()
""",
    "MiniStack's EventBridge keeps every event, for nobody": """
import pathlib
from ministack.services import eventbridge
source = pathlib.Path(eventbridge.__file__).read_text()
assert '_events_log_list' in eventbridge._put_events.__code__.co_names
assert source.count('_events_log_list(') == 2 and source.count('_events_log.') == 2
""",
    "MiniStack counts how deep functions call each other": """
from ministack.services import lambda_svc
assert lambda_svc._invoke_depth.get() == 0
assert '_execute_function_warm' in lambda_svc._execute_function_dispatch.__code__.co_names
""",
    "MiniStack says of a dead worker that it died, and collects it in the same thread": """
from helpers.localaws import functions
from ministack.core import lambda_runtime
invoke = lambda_runtime.Worker.invoke.__code__
assert '_collect' in invoke.co_names
reads = next(each for each in invoke.co_consts if getattr(each, 'co_name', '') == '_read_response')
assert functions._DIED[0] in str(reads.co_consts)
""",
    "Python's fork server is started with this process's environment": """
from multiprocessing import forkserver
starts = forkserver.ForkServer.ensure_running.__code__.co_names
assert {'util', 'spawnv_passfds'} <= set(starts)
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
