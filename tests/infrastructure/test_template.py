"""What the control plane's template promises, read from what CloudFormation gets to see."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from embedded.translate import translate
from tools.definition import machines, read

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "snaproll" / "src" / "snaproll"
FUNCTIONS = sorted(app.parent.name for app in (ROOT / "functions").glob("*/app.py"))

TAKES_NO_RESOURCE: Final = "the Service Authorization Reference lists no resource for it"
WITHOUT_RESOURCE: Final = {
    "autoscaling:DescribeAutoScalingGroups": TAKES_NO_RESOURCE,
    "autoscaling:DescribeInstanceRefreshes": TAKES_NO_RESOURCE,
    "autoscaling:DescribeScalingActivities": TAKES_NO_RESOURCE,
    "cloudwatch:DescribeAlarms": "on a narrower resource it leaves composite alarms out",
    "ec2:DescribeInstances": TAKES_NO_RESOURCE,
    "ec2:DescribeLaunchTemplateVersions": TAKES_NO_RESOURCE,
    "ec2:DescribeLaunchTemplates": TAKES_NO_RESOURCE,
    "ec2:DescribeSnapshots": TAKES_NO_RESOURCE,
    "ec2:DescribeVolumes": TAKES_NO_RESOURCE,
    "elasticloadbalancing:DescribeTargetHealth": TAKES_NO_RESOURCE,
    "logs:CreateLogDelivery": TAKES_NO_RESOURCE,
    "logs:DeleteLogDelivery": TAKES_NO_RESOURCE,
    "logs:DescribeLogGroups": "Step Functions asks for it on all log groups",
    "logs:DescribeResourcePolicies": TAKES_NO_RESOURCE,
    "logs:GetLogDelivery": TAKES_NO_RESOURCE,
    "logs:ListLogDeliveries": TAKES_NO_RESOURCE,
    "logs:PutResourcePolicy": TAKES_NO_RESOURCE,
    "logs:UpdateLogDelivery": TAKES_NO_RESOURCE,
    "ssm:GetCommandInvocation": TAKES_NO_RESOURCE,
}
"""Actions that may be allowed on ``*``, with the reason."""

SPEAKS_OF_MOVING_VERSIONS: Final = {
    "aws/configurations.py": "tells people what a group without a version number would launch",
    "aws/launch_templates.py": "reads which version is the newest",
    "steps/template.py": "tells people what a version left behind would do",
}
"""Modules that may hold ``$Latest`` or ``$Default`` in a string, with the reason."""

LOOK_AT_ALL: Final = {"ReconcileFleetsFunction", "RecoverPublishFunction"}
"""Functions that a schedule runs, and whose work grows with the environment."""

NAMES: Final = {
    "AlarmName",
    "FunctionName",
    "LogGroupName",
    "QueueName",
    "StateMachineName",
    "TableName",
    "TopicName",
}

CALLING_HOOKS: Final = {"QuiesceWriterFunctionRole", "ResumeWriterFunctionRole"}
PROBES: Final = {
    "Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}"
    ":function:${ProbeFunctionPrefix}${Environment}-*"
}

Resource = dict[str, Any]

each_machine = pytest.mark.parametrize(
    "machine_id", [f"{name.capitalize()}StateMachine" for name in machines()]
)


@pytest.fixture(scope="module")
def resources() -> dict[str, Resource]:
    made: dict[str, Resource] = translate(ROOT / "template.yaml")["Resources"]
    return made


def of_type(resources: dict[str, Resource], kind: str) -> dict[str, dict[str, Any]]:
    """The properties of every resource of a type, by logical id."""
    return {name: it["Properties"] for name, it in resources.items() if it["Type"] == kind}


def target_of(value: Any) -> str:
    """The logical id that a Ref or Fn::GetAtt names."""
    if "Ref" in value:
        return str(value["Ref"])
    return str(value["Fn::GetAtt"][0])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(resources: dict[str, Resource]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every role, with the role's logical id."""
    for role, properties in of_type(resources, "AWS::IAM::Role").items():
        for policy in properties["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                # One that stands under a condition is looked at as if the condition held.
                yield role, statement["Fn::If"][1] if "Fn::If" in statement else statement


def logical_id(folder: str) -> str:
    return "".join(word.capitalize() for word in folder.split("_")) + "Function"


# -- functions ------------------------------------------------------------------------------------


def test_each_folder_is_a_function_and_each_function_a_folder(
    resources: dict[str, Resource],
) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")

    assert {name: it["Code"]["S3Key"] for name, it in functions.items()} == {
        logical_id(folder): f"functions/{folder}" for folder in FUNCTIONS
    }


def test_each_function_is_named_after_its_folder(resources: dict[str, Resource]) -> None:
    names = [it["FunctionName"] for it in of_type(resources, "AWS::Lambda::Function").values()]

    assert sorted(name["Fn::Sub"] for name in names) == [
        f"snaproll-${{Environment}}-{folder.replace('_', '-')}" for folder in FUNCTIONS
    ]


def test_each_function_runs_python_3_13_on_arm64_traced_and_with_the_layer(
    resources: dict[str, Resource],
) -> None:
    (layer,) = of_type(resources, "AWS::Lambda::LayerVersion")
    wanted = {
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "Handler": "app.handler",
        "TracingConfig": {"Mode": "Active"},
        "Layers": [{"Ref": layer}],
    }

    for function in of_type(resources, "AWS::Lambda::Function").values():
        assert {name: function[name] for name in wanted} == wanted


def test_each_function_has_a_role_of_its_own(resources: dict[str, Resource]) -> None:
    functions = of_type(resources, "AWS::Lambda::Function").values()
    machines = of_type(resources, "AWS::StepFunctions::StateMachine").values()
    used = [target_of(it["Role"]) for it in functions] + [
        target_of(it["RoleArn"]) for it in machines
    ]

    assert sorted(used) == sorted(of_type(resources, "AWS::IAM::Role"))


def test_each_function_writes_to_a_log_group_of_its_name(resources: dict[str, Resource]) -> None:
    groups = of_type(resources, "AWS::Logs::LogGroup")

    for function in of_type(resources, "AWS::Lambda::Function").values():
        group = groups[target_of(function["LoggingConfig"]["LogGroup"])]
        assert (
            group["LogGroupName"]["Fn::Sub"] == f"/aws/lambda/{function['FunctionName']['Fn::Sub']}"
        )


def test_every_log_group_keeps_its_logs_for_a_set_time(resources: dict[str, Resource]) -> None:
    for group in of_type(resources, "AWS::Logs::LogGroup").values():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_a_function_gives_up_before_its_state_does(resources: dict[str, Resource]) -> None:
    waits = [
        state["TimeoutSeconds"]
        for path in machines().values()
        for state in read(path)["States"].values()
        if isinstance(state.get("TimeoutSeconds"), int)
    ]

    assert waits
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        # Those that look at all fleets or writers are no states, and may take their time.
        assert name in LOOK_AT_ALL or function["Timeout"] < min(waits)


# -- asynchronous edges ---------------------------------------------------------------------------


def rule_targets(resources: dict[str, Resource]) -> list[dict[str, Any]]:
    rules = of_type(resources, "AWS::Events::Rule").values()
    return [target for rule in rules for target in rule["Targets"]]


def test_what_a_rule_cannot_deliver_goes_to_a_queue(resources: dict[str, Resource]) -> None:
    queues = of_type(resources, "AWS::SQS::Queue")

    assert rule_targets(resources)
    for target in rule_targets(resources):
        assert target_of(target["DeadLetterConfig"]["Arn"]) in queues


def test_the_rules_may_write_to_the_queue(resources: dict[str, Resource]) -> None:
    queues = {target_of(it["DeadLetterConfig"]["Arn"]) for it in rule_targets(resources)}
    policies = of_type(resources, "AWS::SQS::QueuePolicy").values()
    open_to_rules = {
        target_of(queue)
        for policy in policies
        for queue in policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "events.amazonaws.com"}
        and statement["Action"] == "sqs:SendMessage"
        and statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].endswith(
            ":rule/${AWS::StackName}-*"  # CloudFormation names the rules of the stack like this
        )
    }

    assert queues <= open_to_rules
    assert [
        name for name, it in of_type(resources, "AWS::Events::Rule").items() if "Name" in it
    ] == []


def test_an_event_that_a_function_fails_on_goes_to_a_queue(resources: dict[str, Resource]) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")
    invoked = {target_of(it["Arn"]) for it in rule_targets(resources)} & functions.keys()
    configured = {
        target_of(it["FunctionName"]): it["DestinationConfig"]["OnFailure"]["Destination"]
        for it in of_type(resources, "AWS::Lambda::EventInvokeConfig").values()
    }

    assert invoked == {
        "DispatchSnapshotFunction",
        "IndexFleetFunction",
        "ReconcileFleetsFunction",
        "RecoverPublishFunction",
        "RecoverRolloutFunction",
        "RequestPublishFunction",
        "SignalPublishFunction",
        "SignalRolloutFunction",
    }
    for function in invoked:
        assert resources[target_of(configured[function])]["Type"] == "AWS::SQS::Queue"


def test_somebody_hears_of_a_lost_event(resources: dict[str, Resource]) -> None:
    (queue,) = of_type(resources, "AWS::SQS::Queue")
    (topic,) = of_type(resources, "AWS::SNS::Topic")
    (alarm,) = [
        it
        for it in of_type(resources, "AWS::CloudWatch::Alarm").values()
        if it["Namespace"] == "AWS/SQS" and target_of(it["Dimensions"][0]["Value"]) == queue
    ]

    assert alarm["AlarmActions"] == [{"Ref": topic}]


def test_somebody_hears_of_every_alarm(resources: dict[str, Resource]) -> None:
    (topic,) = of_type(resources, "AWS::SNS::Topic")

    for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values():
        # Where no data would tell nothing it must not be taken for fine, and the other way round.
        told = (
            "AlarmActions"
            if alarm["TreatMissingData"] == "notBreaching"
            else "InsufficientDataActions"
        )
        assert alarm[told] == [{"Ref": topic}]


# -- the ledger -----------------------------------------------------------------------------------


def test_the_ledger_outlives_mistakes(resources: dict[str, Resource]) -> None:
    table = resources["LedgerTable"]

    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    recovery = table["Properties"]["PointInTimeRecoverySpecification"]
    assert recovery == {"PointInTimeRecoveryEnabled": True}


def test_what_is_stored_is_encrypted(resources: dict[str, Resource]) -> None:
    assert resources["LedgerTable"]["Properties"]["SSESpecification"]["SSEEnabled"] is True
    assert all(q["SqsManagedSseEnabled"] for q in of_type(resources, "AWS::SQS::Queue").values())
    assert all(t["KmsMasterKeyId"] for t in of_type(resources, "AWS::SNS::Topic").values())


# -- permissions ----------------------------------------------------------------------------------


def test_only_actions_that_take_no_resource_are_allowed_on_all(
    resources: dict[str, Resource],
) -> None:
    found = {
        action
        for _, statement in statements(resources)
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }

    assert found == WITHOUT_RESOURCE.keys()


def test_no_role_allows_a_pattern_of_actions(resources: dict[str, Resource]) -> None:
    assert [
        (role, statement["Action"])
        for role, statement in statements(resources)
        if any("*" in action for action in listed(statement["Action"]))
    ] == []


def test_a_fleet_is_changed_only_where_it_opted_in_to_this_environment(
    resources: dict[str, Resource],
) -> None:
    opted_in = {
        "StringEquals": {"aws:ResourceTag/snaproll:environment": {"Ref": "Environment"}},
        "Null": {"aws:ResourceTag/snaproll:fleet": "false"},
    }
    of_a_fleet = re.compile(r":(autoScalingGroup:|launch-template/)")
    on_fleets = [
        statement
        for _, statement in statements(resources)
        if of_a_fleet.search(json.dumps(statement["Resource"]))
    ]

    assert on_fleets
    assert [statement for statement in on_fleets if statement["Condition"] != opted_in] == []


def test_a_snapshot_is_taken_only_of_what_opted_in_and_tagged_only_at_its_creation(
    resources: dict[str, Resource],
) -> None:
    taking = [
        (action, json.dumps(statement["Resource"]), statement["Condition"])
        for role, statement in statements(resources)
        if role == "TakeSnapshotFunctionRole"
        for action in listed(statement["Action"])
        if action.startswith("ec2:Create")
    ]
    environment = {"Ref": "Environment"}

    assert [
        (action, "snapshot" if "snapshot/*" in where else "volume", condition)
        for action, where, condition in taking
    ] == [
        (
            "ec2:CreateSnapshot",
            "volume",
            {
                "StringEquals": {"aws:ResourceTag/snaproll:environment": environment},
                "Null": {"aws:ResourceTag/snaproll:writer": "false"},
            },
        ),
        (
            "ec2:CreateSnapshot",
            "snapshot",
            {
                "StringEquals": {"aws:RequestTag/snaproll:environment": environment},
                "Null": {"aws:RequestTag/snaproll:writer": "false"},
            },
        ),
        (
            "ec2:CreateTags",
            "snapshot",
            {
                "StringEquals": {"ec2:CreateAction": "CreateSnapshot"},
                "ForAnyValue:StringEquals": {"aws:TagKeys": "snaproll:publish"},
            },
        ),
    ]


def test_a_hook_is_known_by_its_name_and_called_only_to_stop_a_writer_or_to_let_it_go(
    resources: dict[str, Resource],
) -> None:
    hooks = [
        (role, statement["Action"], json.dumps(statement["Resource"]))
        for role, statement in statements(resources)
        if "${QuiesceHookPrefix}${Environment}-*" in json.dumps(statement["Resource"])
    ]

    assert sorted({(role, action) for role, action, _ in hooks}) == [
        (role, action)
        for role in sorted(CALLING_HOOKS)
        for action in ("lambda:InvokeFunction", "ssm:SendCommand")
    ]


@each_machine
def test_the_machine_may_invoke_the_functions_that_it_names_probes_and_no_other(
    resources: dict[str, Resource], machine_id: str
) -> None:
    machine = resources[machine_id]["Properties"]
    named = {target_of(value) for value in machine["DefinitionSubstitutions"].values()}
    allowed = [
        function
        for role, statement in statements(resources)
        if role == target_of(machine["RoleArn"]) and statement["Action"] == "lambda:InvokeFunction"
        for function in statement["Resource"]
    ]
    probes = [function for function in allowed if "Fn::Sub" in function]

    assert probes == ([PROBES] if machine_id == "RolloutStateMachine" else [])
    assert {target_of(function) for function in allowed if function not in probes} == named


def test_nobody_but_the_machine_may_invoke_a_probe_and_who_looks_for_one_sees_no_other_function(
    resources: dict[str, Resource],
) -> None:
    invoking = {
        target_of(machine["RoleArn"])
        for machine in of_type(resources, "AWS::StepFunctions::StateMachine").values()
    }
    on_functions = [
        (role, statement)
        for role, statement in statements(resources)
        if role not in invoking | CALLING_HOOKS
        if any(action.startswith("lambda:") for action in listed(statement["Action"]))
        if role != "ReconcileFleetsFunctionRole"  # which divides its work among runs of its own
    ]

    assert {role for role, _ in on_functions} == {
        "InspectFleetFunctionRole",
        "PreviewRolloutFunctionRole",
    }
    for _, statement in on_functions:
        assert statement["Action"] == "lambda:GetFunctionConfiguration"
        assert statement["Resource"] == PROBES


def test_who_divides_its_work_may_invoke_itself_and_nothing_else(
    resources: dict[str, Resource],
) -> None:
    allowed = [
        statement["Resource"]
        for role, statement in statements(resources)
        if role == "ReconcileFleetsFunctionRole"
        if statement["Action"] == "lambda:InvokeFunction"
    ]

    assert [one["Fn::Sub"].rsplit(":", 1)[1] for one in allowed] == [
        "snaproll-${Environment}-reconcile-fleets"
    ]


# -- the state machine ----------------------------------------------------------------------------


def test_every_definition_is_that_of_a_machine(resources: dict[str, Resource]) -> None:
    used = [
        machine["DefinitionS3Location"]["Key"]
        for machine in of_type(resources, "AWS::StepFunctions::StateMachine").values()
    ]

    assert sorted(used) == [f"statemachines/{path.name}" for path in machines().values()]


@each_machine
def test_each_placeholder_of_the_definition_stands_for_the_function_of_its_name(
    resources: dict[str, Resource], machine_id: str
) -> None:
    machine = resources[machine_id]["Properties"]
    text = (ROOT / machine["DefinitionS3Location"]["Key"]).read_text(encoding="utf-8")
    functions = of_type(resources, "AWS::Lambda::Function")

    substitutions = machine["DefinitionSubstitutions"]
    assert substitutions.keys() == set(re.findall(r"\$\{(\w+)\}", text))
    for name, value in substitutions.items():
        assert value == {"Fn::GetAtt": [name, "Arn"]}
        assert name in functions


@each_machine
def test_the_machine_logs_everything_and_is_traced(
    resources: dict[str, Resource], machine_id: str
) -> None:
    machine = resources[machine_id]["Properties"]
    (destination,) = machine["LoggingConfiguration"]["Destinations"]

    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    group = resources[target_of(destination["CloudWatchLogsLogGroup"]["LogGroupArn"])]
    assert group["Properties"]["LogGroupName"]["Fn::Sub"].startswith("/aws/vendedlogs/states/")


# -- names ----------------------------------------------------------------------------------------


def test_every_name_holds_the_environment(resources: dict[str, Resource]) -> None:
    references = {"AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Permission"}
    names = [
        (logical, name, properties[name])
        for logical, it in resources.items()
        if it["Type"] not in references
        for properties in [it["Properties"]]
        for name in NAMES & properties.keys()
    ]

    assert names
    assert [it for it in names if "${Environment}" not in json.dumps(it[2])] == []


def test_nothing_is_launched_from_a_version_that_moves() -> None:
    found = {
        module.relative_to(PACKAGE).as_posix()
        for module in PACKAGE.rglob("*.py")
        if any(names_moving_version(text) for text in strings(module))
    }

    assert found == SPEAKS_OF_MOVING_VERSIONS.keys()


@pytest.mark.parametrize("file", [ROOT / "template.yaml", *(ROOT / "functions").glob("*/app.py")])
def test_no_file_of_the_stack_names_a_version_that_moves(file: Path) -> None:
    assert not names_moving_version(file.read_text(encoding="utf-8"))


def names_moving_version(text: str) -> bool:
    return "$Latest" in text or "$Default" in text


def strings(module: Path) -> Iterator[str]:
    """Every string in a module, except those that only document it."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documentation:
            yield str(node.value)
