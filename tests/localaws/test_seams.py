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
    "MiniStack imports its check of a policy at each call, and does not look into the elements": """
from ministack.core import iam_evaluator
from ministack.services import iam
for handler in (iam._create_policy, iam._create_policy_version, iam._put_user_policy):
    assert 'validate_policy_document' in handler.__code__.co_names
odd = {'Statement': {'Effect': 'Allow', 'Action': None, 'Resource': '*'}}
assert iam_evaluator.validate_policy_document(odd) is None, 'it looks by now: is moto still needed?'
for handler in ('CreatePolicy', 'CreatePolicyVersion'):
    assert handler in iam._IAM_HANDLERS
""",
    "MiniStack has no RedriveExecution": """
from ministack.services import stepfunctions
assert 'RedriveExecution' not in str(stepfunctions.handle_request.__code__.co_consts)
""",
    "MiniStack does not ask whether a caller may hand on a role": """
import ast, inspect
from ministack.core import iam_evaluator
from ministack.services import lambda_svc, stepfunctions
for module in (iam_evaluator, lambda_svc, stepfunctions):
    assert 'PassRole' not in inspect.getsource(module)
for name in ('_create_function(data)', '_update_config(func_name, data)'):
    assert name in inspect.getsource(lambda_svc).split('async def handle_request')[1]
""",
    "MiniStack takes any name of a function, and makes it by these names": """
import inspect
from ministack.core import lambda_runtime
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners
assert 'ministack-lambda-{self.func_name}-' in inspect.getsource(lambda_runtime.Worker._spawn)
assert 'functionName' not in inspect.getsource(lambda_svc._create_function)
handlers = provisioners._RESOURCE_HANDLERS['AWS::Lambda::Function']
assert handlers['create'] is provisioners._lambda_create
assert '_lambda_create' in provisioners._lambda_update.__code__.co_names
""",
    "MiniStack keeps the key whose signature was good for the rest of the request": """
from ministack.core import iam_evaluator
assert iam_evaluator._verified_key.get() == ''
""",
    "MiniStack asks for the resource and the keys of a request by these names, each time": """
import inspect, ministack.app
source = inspect.getsource(ministack.app)
for name in ('extract_resource_arn', 'request_tag_context'):
    assert f'            {name},' in source and f'{name}(' in source
""",
    "MiniStack's rules of the default bus have its name in their ARN": """
from ministack.core import iam_actions
arn = iam_actions.extract_resource_arn(
    'events', 'POST', '/', {}, b'{"Name": "r"}', {}, 'us-east-1', '1')
assert arn == 'arn:aws:events:us-east-1:1:rule/default/r'
""",
    "MiniStack has no path in the ARN of a role or user, and none of a policy to be made": """
from ministack.core import iam_actions
def arn(**form):
    return iam_actions.extract_resource_arn('iam', 'POST', '/', {}, b'', form, 'us-east-1', '1')
assert arn(RoleName='r', Path='/a/') == 'arn:aws:iam::1:role/r'
assert arn(Action='CreatePolicy', PolicyName='p') == '*'
""",
    "CloudFormation makes and deletes resources without asking what its caller may": """
import inspect
from ministack.services.cloudformation import provisioners, stacks
for name in ('_provision_resource', '_delete_resource'):
    assert list(inspect.signature(getattr(provisioners, name)).parameters)[0] == 'resource_type'
    assert name in vars(stacks)
assert 'resolve_principal' not in inspect.getsource(provisioners)
assert provisioners._physical_name('stack', 'Logical').startswith('stack-Logical-')
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
program = parsing.parse('{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
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
program = parsing.parse(json.dumps({'StartAt': 'A', 'States': {'A': task}}))
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
    "MiniStack's stack engine awaits what may block, and names the resource's type first": """
import inspect, re
from ministack.services.cloudformation import stacks
for operation in '_deploy_stack_async _roll_back_operation _delete_stack_async'.split():
    names = getattr(stacks, operation).__code__.co_names
    assert {'_runs_on_worker_thread', 'run_reentrant'} <= set(names), operation
awaited = re.findall(r'await run_reentrant\\(\\s*\\w+, (\\w+)', inspect.getsource(stacks))
assert len(awaited) == 8 and set(awaited) == {'rtype', 'resource_type'}, awaited
""",
    "MiniStack's stack engine is started by its handlers, with a stack's name and id": """
import inspect
from ministack.services.cloudformation import changesets, handlers, stacks
for name in '_deploy_stack_async _delete_stack_async _roll_back_operation'.split():
    operation = getattr(stacks, name)
    assert list(inspect.signature(operation).parameters)[:2] == ['stack_name', 'stack_id']
    assert getattr(handlers, name) is operation
assert changesets._deploy_stack_async is stacks._deploy_stack_async
assert '_delete_stack_async' in stacks._create_then_delete_on_failure.__code__.co_names
""",
    "MiniStack notes stack events through one function, copied on import": """
from ministack.services.cloudformation import changesets, handlers, stacks
assert changesets._add_event is handlers._add_event is stacks._add_event
names = 'stack_id stack_name logical_id resource_type status reason physical_id detailed_status'
assert list(stacks._add_event.__code__.co_varnames[:8]) == names.split()
""",
    "MiniStack's stack engine comes to a resource without telling its physical id": """
import inspect
from ministack.services.cloudformation import stacks
source = inspect.getsource(stacks._deploy_stack_async)
assert 'resource_type,\\n                           f"{status_prefix}_IN_PROGRESS")' in source
""",
    "MiniStack does to resources what three functions do, copied on import": """
import inspect
from ministack.services.cloudformation import provisioners, stacks
def parameters(name):
    function = getattr(provisioners, name)
    assert getattr(stacks, name) is function
    return ' '.join(inspect.signature(function).parameters)
assert parameters('_provision_resource') == 'resource_type logical_id props stack_name'
assert parameters('_update_resource') == (
    'resource_type physical_id old_props new_props stack_name logical_id old_attrs')
assert parameters('_delete_resource') == (
    'resource_type physical_id props stack_name logical_id')
assert '_provision_resource' in provisioners._replace_resource.__code__.co_names
""",
    "MiniStack resolves a stack's outputs after what can fail, before it deletes the old": """
from ministack.services.cloudformation import stacks
names = stacks._deploy_stack_async.__code__.co_names
assert names.index('_provision_keeping_seed') < names.index('_resolve_stack_outputs')
assert names.index('_resolve_stack_outputs') < names.index('_delete_resource')
parameters = stacks._resolve_stack_outputs.__code__.co_varnames[:7]
assert parameters[-2:] == ('stack_name', 'stack_id')
""",
    "MiniStack says nothing of the deletions after an update": """
import inspect
from ministack.services.cloudformation import stacks
assert 'DELETE_IN_PROGRESS' not in inspect.getsource(stacks._deploy_stack_async)
""",
    "MiniStack looks CloudFormation's actions up at each request": """
from ministack.services import cloudformation
assert '_ACTION_HANDLERS' in cloudformation.handle_request.__code__.co_names
""",
    "MiniStack lets the name of a stack that was rolled back be used again": """
import inspect
from ministack.services.cloudformation import changesets, handlers
for action in (handlers._create_stack, changesets._create_change_set):
    assert '"DELETE_COMPLETE", "ROLLBACK_COMPLETE"' in inspect.getsource(action)
""",
    "MiniStack finds a deleted stack by its id, whatever it is kept under": """
from ministack.services import cloudformation
from ministack.services.cloudformation import handlers
cloudformation._stacks['id'] = {'StackId': 'id', 'StackName': 'n', 'StackStatus': 'DELETE_COMPLETE'}
assert handlers._resolve_stack('id') and not handlers._resolve_stack('n')
assert handlers._describe_stacks({'StackName': ['id']})[0] == 200
cloudformation._stacks.clear()
""",
    "MiniStack finds a change set by the name of its stack only": """
from ministack.services import cloudformation
from ministack.services.cloudformation import changesets
cloudformation._change_sets['c'] = {'ChangeSetName': 'x', 'StackName': 'n', 'StackId': 'id'}
assert changesets._find_change_set('x', 'n')[0] == 'c'
assert changesets._find_change_set('x', 'id') == (None, None)
cloudformation._change_sets.clear()
""",
    "MiniStack's CloudFormation knows of Step Functions' types the machine only": """
from ministack.services.cloudformation import provisioners
known = [name for name in provisioners._RESOURCE_HANDLERS if 'StepFunctions' in name]
assert known == ['AWS::StepFunctions::StateMachine'], known
for table in (provisioners._REPLACING_PROPERTIES, provisioners._STACK_TAG_PROPERTY):
    assert known[0] in table
""",
    "MiniStack's stack engine would let nobody else have a turn": """
import asyncio
from helpers.localaws import formation
done = []
async def other():
    done.append('another request')
async def two():
    for kind in ('AWS::SNS::Topic', 'AWS::SQS::Queue'):
        waiting = asyncio.ensure_future(other())
        await formation.take_turn(done.append, kind)
        await waiting
asyncio.run(two())
assert done == ['another request', 'AWS::SNS::Topic', 'another request', 'AWS::SQS::Queue']
""",
    "AWS's schemas have these properties, as cfn-lint brings them": """
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from helpers.localaws import resources
def names(paths):
    return {path.rpartition('/')[2] for path in paths}
for name, kind in resources.KINDS.items():
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema('us-east-1', name).schema
    settable = set(schema['properties']) - names(schema['readOnlyProperties'])
    assert {*kind.required, *kind.optional} == settable, name
    assert set(kind.required) == set(schema.get('required', [])), name
    assert set(kind.replacing) == names(schema['createOnlyProperties']), name
""",
    "MiniStack keeps roles by name, with their trust as text": """
import inspect
from ministack.services import iam
source = inspect.getsource(iam._create_role)
assert '_roles[name] = {' in source
assert '"AssumeRolePolicyDocument": _p(p, "AssumeRolePolicyDocument")' in source
""",
    "MiniStack gives an object of S3, or one of its versions, by two names": """
import inspect
from ministack.services import s3
assert ' '.join(inspect.signature(s3._get_object_data).parameters) == 'bucket_name key version_id'
assert s3._get_object_data('nobody-s', 'k') is None and 'nobody-s' not in s3._buckets
""",
    "MiniStack's operations of the states API are called as botocore calls them": """
import re
from botocore import xform_name
from ministack.services import stepfunctions
from helpers.localaws import resources
source = open(resources.__file__).read()
operations = re.findall(r'_call\\(\\s*"(\\w+)"', source)
operations += [kind.delete for kind in resources.KINDS.values()]
assert len(operations) > 12
for operation in operations:
    assert callable(getattr(stepfunctions, '_' + xform_name(operation)))
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
    "MiniStack ends a function's workers in every account where none is named": """
import inspect
from ministack.core import lambda_runtime
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners
assert lambda_svc.invalidate_worker is lambda_runtime.invalidate_worker
named = list(inspect.signature(lambda_runtime.invalidate_worker).parameters)
assert named == ['func_name', 'qualifier', 'account', 'region']
assert '_lambda_svc.invalidate_worker(name)' in inspect.getsource(provisioners._lambda_create)
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
    "moto's PutEvents fails with a cause that is no text": """
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_events as service)
import inspect
raised = inspect.getsource(service)
assert 'raise SfnFailedEntryCountException(cause=response)' in raised
assert 'cause=ex.cause' in raised
assert failures.FailedEntryError({'FailedEntryCount': 1}).cause == '{"FailedEntryCount":1}'
""",
    "MiniStack gives what a rule sends to a topic a subject": """
from helpers.localaws import mail
from ministack.services import eventbridge
assert mail._OF_A_RULE in eventbridge._dispatch_to_sns.__code__.co_consts
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
assert program.threading is threading and execute_state.Thread is threading.Thread
""",
    "moto's task tokens come from the states module's long_uid": """
from moto.stepfunctions.parser.asl.eval import states
interpreter.install()  # from here on the joined libraries
context = states.ContextObject({})
assert context.update_task_token().startswith('AQC')
""",
    "moto's programs end an execution whose history is full, and its end still has room": """
from helpers.localaws import runs
from ministack.services import stepfunctions
loop = {'Type': 'Choice', 'Choices': [{'Condition': '{% true %}', 'Next': 'A'}]}
both = {'A': {**loop, 'Default': 'B'}, 'B': {'Type': 'Succeed'}}
text = json.dumps({'QueryLanguage': 'JSONata', 'StartAt': 'A', 'States': both})
arn, role = 'arn:aws:states:us-east-1:123456789012:execution:m:e', 'arn:aws:iam::1:role/r'
machine = {'stateMachineArn': arn.replace('execution', 'stateMachine')[:-2], 'type': 'STANDARD'}
machine.update(definition=text, roleArn=role, creationDate='')
assert events.MOST == 25_000
events.MOST = 6  # for a test that does not take all day
record = runs.add(arn, machine, 'e', '{}')
interpreter.run_execution(arn)
ends = [(each['id'], each['previousEventId'], each['type']) for each in record['events'][4:]]
assert ends == [(5, 4, 'ChoiceStateExited'), (6, 5, 'ExecutionFailed')], ends
words = 'The execution reached the maximum number of history events (25000).'
assert (record['status'], record['error'], record['cause']) == ('FAILED', 'States.Runtime', words)
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
    "moto begins a distributed Map's run by evaluating its iteration component": """
from moto.stepfunctions.parser.asl.component.state.exec.state_map import state_map
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component as component,
)
names = state_map.StateMap._eval_execution.__code__.co_names
assert {'iteration_component', 'result_writer', 'map_run_record_pool_manager'} <= set(names)
assert component.DistributedIterationComponent._eval_body is distributed.evaluate
""",
    "moto's state writes its first event, then is told its input, then does its work": """
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
names = parsing.parse('{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
inner = CommonStateField._eval_body.__closure__[0].cell_contents.__code__.co_names
steps = ['add_event', '_get_state_entered_event_details', '_eval_state_input', '_eval_state']
assert [name for name in inner if name in steps] == steps, inner
assert [name for name in inner if name in ('_set_next', 'state_exited_event_type')] == [
    '_set_next', 'state_exited_event_type']
""",
    "moto makes every frame in one method, and evaluates every iteration in another": """
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
assert 'as_inner_frame_of' in Environment.as_frame_of.__func__.__code__.co_names
assert '_eval_job' in iteration_worker.IterationWorker._eval_pool.__code__.co_names
""",
    "moto keeps the query languages of a definition in its class, whoever reads it": """
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
assert '_query_language_per_scope' in vars(Preprocessor)
assert Preprocessor._query_language_per_scope == []
""",
    "moto leaves a task's parameters as they are, whatever the service calls them": """
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service as service,
)
names = service.StateTaskService._eval_execution.__code__.co_names
assert {'_normalise_parameters', '_normalise_response'} <= set(names)
assert service.to_json_str({'a': 'é'}) == '{"a":"é"}'
""",
    "moto's Retry and Catch ask each ErrorEquals, with the error on the stack": """
import inspect
from moto.stepfunctions.parser.asl.component.common.catch.catcher_decl import CatcherDecl
from moto.stepfunctions.parser.asl.component.common.error_name import error_equals_decl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
declaration = error_equals_decl.ErrorEqualsDecl([failures.named('States.ALL')])
assert declaration.error_names and type(declaration)._eval_body is failures._match
for asking in (CatcherDecl, RetrierDecl):
    assert 'error_equals' in inspect.unwrap(asking._eval_body).__code__.co_names, asking
""",
    "moto calls every error of a Lambda's own ARN the same": """
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_lambda
task = state_task_lambda.StateTaskLambda
assert '_from_error' in vars(task)
source = task._eval_execution.__code__.co_names
assert {'_verify_size_quota', 'execute_lambda_function_integration'} <= set(source)
assert state_task_lambda.is_within_size_quota is failures.fits
""",
    "moto measures what a state, a task and a Lambda return by one function, copied on import": """
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service as service,
)
from moto.stepfunctions.parser.asl.component.state import state
assert failures.fits('x' * 262142) and not failures.fits('x' * 262143)  # and two quotes
for module, kind in ((state, 'CommonStateField'), (service, 'StateTaskService')):
    names = getattr(module, kind)._verify_size_quota.__code__.co_names
    assert 'is_within_size_quota' in names and module.is_within_size_quota is failures.fits
""",
    "botocore tells every client's after-call what was answered, on the caller's thread": """
import threading
from botocore.awsrequest import AWSResponse
from helpers.localaws import metadata
client = clients.client_for('us-east-1', 'sts', Role())
answer = AWSResponse('', 202, {'Date': 'today', 'X-Amzn-RequestId': 'r'}, None)
metadata.forget()
parsed = {'ResponseMetadata': {}}
client.meta.events.emit('after-call.sts.GetCallerIdentity', http_response=answer, parsed=parsed)
assert len(parsed['ResponseMetadata']['RequestId']) == 36  # a refusal has none, moto needs one
told = metadata.last()
assert told['SdkHttpMetadata']['HttpHeaders'] == {'Date': 'today', 'x-amzn-RequestId': 'r'}
assert told['SdkHttpMetadata']['HttpStatusCode'] == 202
assert told['SdkResponseMetadata'] == {'RequestId': 'r'}
elsewhere = []
thread = threading.Thread(target=lambda: elsewhere.append(metadata.last()))
thread.start(); thread.join()
assert elsewhere == [{}]
""",
    "MiniStack's Python worker reports an exception in one place, and knows its code's folder": """
from ministack.core import lambda_runtime
from helpers.localaws import functions
script = lambda_runtime._PYTHON_WORKER_SCRIPT
assert script.count(functions._REPORT) == 1 and 'code_dir = init["code_dir"]' in script
scope = {}
exec(functions._REPORTER, scope)
def worker():
    try:
        exec(compile('def handler():\\n    {}[0]\\nhandler()', '/tmp/code/app.py', 'exec'))
    except KeyError as error:
        return scope['_ms_report'](error, '/tmp/code')
told = worker()
assert told['raised']['stackTrace'][-1] == '  File "/var/task/app.py", line 2, in handler\\n'
assert list(told['raised']) == ['errorMessage', 'errorType', 'requestId', 'stackTrace']
assert told['trace'].startswith('[ERROR] KeyError: 0\\nTraceback (most recent call last):\\n  File')
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
    "moto counts a task's seconds from the start of the thread that does it": """
import inspect
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
source = inspect.getsource(execute_state)
_, after = source.split('        thread.start()\\n')
assert after.split()[:3] == ['finished_on_time:', 'bool', '=']
assert after.split()[3] == 'terminated_event.wait(timeout_seconds)'
assert source.count('Thread(') == 1
""",
    "moto lets a worker take an activity's task before anybody can answer it": """
import inspect
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackPoolManager
source = inspect.getsource(CallbackPoolManager.add_activity_task)
queued, known = source.index('.add_task('), source.index('self._pool[callback_id] = ')
assert queued < source.index('ActivityCallbackEndpoint(\\n') < known
""",
    "moto wakes who waits for a program's end only if they wait by then": """
import inspect
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import wait_function
from moto.stepfunctions.parser.asl.eval import environment
source = inspect.getsource(environment)
assert source.count('program_state_event.set()') == source.count('program_state_event.clear()') == 4
assert 'self.program_state_event = threading.Event()' in source
assert 'program_state_event.wait(wait_seconds)' in inspect.getsource(wait_function)
assert 'time.sleep(interval_seconds)' in inspect.getsource(inspect.unwrap(RetrierDecl._eval_body))
""",
    "moto leaves a task waiting for a worker when its execution is stopped": """
import threading
from helpers.localaws.tokens import TokenPool, TokenRegistry
class Queue:
    add_task = staticmethod(lambda task: None)
TokenPool.registry = TokenRegistry()
pool = TokenPool({'arn': Queue})
start = pool.add_activity_task('t', 'arn', '1').get_activity_task_start_endpoint()
assert not start._next_activity_task_start_event.is_set()
pool.close_all()
assert start.wait(timeout_seconds=0) is None and start._next_activity_task_start_event.is_set()
late = pool.add_activity_task('u', 'arn', '1')
assert late._notify_event.is_set()
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
client = clients.client_for('us-east-1', 'sns', Role())
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
    "MiniStack opens the addresses that users name through urllib, which knows files too": """
import inspect, urllib.request
from ministack.services import apigateway, apigateway_v1, sns
for opening in (apigateway._urlopen_sync, sns._http_post_sync):
    assert 'urllib.request.urlopen(' in inspect.getsource(opening)
assert apigateway_v1._urlopen_async is apigateway._urlopen_async
""",
    "MiniStack's workers start in _spawn, from a folder of their own": """
import inspect
from ministack.core import lambda_runtime
source = inspect.getsource(lambda_runtime.Worker._spawn)
assert 'worker_path = os.path.join(self._tmpdir, ' in source
assert source.count('subprocess.Popen(') == 1 and 'spawn_env' in source
assert 'FunctionArn' in inspect.getsource(lambda_runtime._account_region_from_function_config)
""",
    "MiniStack starts what is not Python's or Node's with subprocess of two modules": """
from ministack.core import lambda_runtime
from ministack.services import lambda_svc
import inspect, subprocess
assert lambda_svc.subprocess is subprocess
assert 'subprocess.Popen(' in inspect.getsource(lambda_svc._execute_function_provided)
""",
}


RUN_ALL = """
import json, os, sys, traceback
os.environ.update(AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_SECRET_ACCESS_KEY="none")
import helpers.localaws.imports
from helpers.localaws import (
    clients, distributed, events, expressions, failures, interpreter, parsing, paths
)
from ministack.core.responses import get_account_id
class Role:
    role_arn = f"arn:aws:iam::{get_account_id()}:role/r"
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
