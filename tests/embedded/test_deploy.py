"""Deploying a template into a world: everything in it acts, or the deployment fails."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from embedded import direct
from embedded.deploy import DeploymentError, Stack, deploy
from embedded.world.world import World

TEMPLATE = Path(__file__).parent / "templates" / "greeting" / "template.yaml"


def deployed(**parameters: str) -> tuple[World, Stack]:
    world = World()
    return world, deploy(world, TEMPLATE, parameters, name="greeting")


def deploy_text(folder: Path, text: str, **parameters: str) -> Stack:
    template = folder / "template.yaml"
    template.write_text(text, encoding="utf-8")
    return deploy(World(), template, parameters)


def emit(world: World, detail_type: str, name: str) -> None:
    entry: Any = {"Source": "test", "DetailType": detail_type, "Detail": json.dumps({"name": name})}
    direct.session(world).client("events").put_events(Entries=[entry])


def test_a_deployed_function_runs_with_its_settings() -> None:
    world, stack = deployed()

    reply = world.awslambda.invoke(stack.functions["GreetFunction"], {"name": "Ann"}, caller="t")

    assert reply.payload == {"greeting": "Hello, Ann"}


def test_parameters_reach_the_resources() -> None:
    world, stack = deployed(Environment="staging", Timeout="45")
    name = stack.functions["GreetFunction"]

    configuration = (
        direct.session(world).client("lambda").get_function_configuration(FunctionName=name)
    )

    assert configuration["Environment"]["Variables"] == {"GREETING": "Hi"}
    assert configuration["Timeout"] == 45
    assert configuration["Architectures"] == ["arm64"]


def test_a_rule_of_the_template_starts_the_state_machine() -> None:
    world, stack = deployed()
    emit(world, "Ask", "Ben")
    world.run_for(30)

    stepfunctions = direct.session(world).client("stepfunctions")
    (execution,) = stepfunctions.list_executions(stateMachineArn=stack.outputs["MachineArn"])[
        "executions"
    ]

    output = stepfunctions.describe_execution(executionArn=execution["executionArn"])["output"]
    assert json.loads(output) == {"greeting": "Hello, Ben"}


def test_a_rule_of_the_template_has_the_permission_that_its_function_asks_for() -> None:
    world, _ = deployed()

    emit(world, "Direct", "Cid")
    world.run_for(30)

    assert world.events.lost == []


def test_a_schedule_of_the_template_ticks() -> None:
    world, stack = deployed()

    world.run_for(timedelta(hours=2, minutes=1).total_seconds())

    calls = [call for call in world.calls if call.caller == "events.amazonaws.com"]
    assert len(calls) == 2
    assert stack.functions["GreetFunction"] in calls[0].params["FunctionName"]


def test_a_failing_event_ends_in_the_queue_of_the_template() -> None:
    # Given an event without what the function needs
    world, stack = deployed()
    entry: Any = {"Source": "test", "DetailType": "Direct", "Detail": "{}"}
    direct.session(world).client("events").put_events(Entries=[entry])

    # When it has failed every try
    world.run_for(600)

    # Then its record is in the queue
    (letter,) = world.sqs.messages(stack.attribute("Letters", "Arn"))
    assert json.loads(letter.body)["requestContext"]["approximateInvokeCount"] == 2


def test_a_conditional_resource_is_made_only_when_its_condition_holds() -> None:
    _, without = deployed()
    world, with_address = deployed(Address="ann@example.org")

    assert "Mail" not in without.resources
    assert "Address" not in without.outputs
    assert with_address.outputs["Address"] == "ann@example.org"
    subscriptions = (
        direct.session(world)
        .client("sns")
        .list_subscriptions_by_topic(TopicArn=with_address.physical_id("Topic"))["Subscriptions"]
    )
    assert subscriptions[0]["Endpoint"] == "ann@example.org"


def test_functions_inside_properties_are_resolved() -> None:
    world, _ = deployed(Address="ann@example.org")
    ssm = direct.session(world).client("ssm")

    assert ssm.get_parameter(Name="/prod/setting")["Parameter"]["Value"] == "prod-mail"


def test_tables_keep_what_protects_them() -> None:
    world, stack = deployed()
    dynamodb = direct.session(world).client("dynamodb")

    table = dynamodb.describe_table(TableName=stack.outputs["TableName"])["Table"]
    backups = dynamodb.describe_continuous_backups(TableName=stack.outputs["TableName"])

    assert table["DeletionProtectionEnabled"]
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_roles_are_recorded_with_their_policies() -> None:
    _, stack = deployed()

    role = stack.roles["GreetFunctionRole"]

    allowed = {
        statement["Resource"] for document in role.policies for statement in document["Statement"]
    }
    assert allowed == {stack.attribute("Table", "Arn"), stack.attribute("Letters", "Arn")}
    assert role.trust["Statement"][0]["Principal"]["Service"] == ["lambda.amazonaws.com"]


def test_the_same_seed_makes_the_same_names() -> None:
    one, other = deployed()[1], deployed()[1]

    assert one.resources == other.resources


def test_a_resource_that_would_be_dropped_fails_the_deployment(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=r"Resources\.B: the type AWS::S3::Bucket"):
        deploy_text(tmp_path, "Resources: {B: {Type: AWS::S3::Bucket}}")


def test_a_property_that_would_be_dropped_fails_the_deployment(tmp_path: Path) -> None:
    text = """
Resources:
  T:
    Type: AWS::DynamoDB::Table
    Properties:
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      BillingMode: PAY_PER_REQUEST
      ContributorInsightsSpecification: {Enabled: true}
"""
    with pytest.raises(DeploymentError, match=r"T\.Properties\.ContributorInsightsSpecification"):
        deploy_text(tmp_path, text)


def test_a_property_that_the_api_does_not_take_fails_the_deployment(tmp_path: Path) -> None:
    text = """
Resources:
  T:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData: {Imageld: ami-1}
"""
    with pytest.raises(DeploymentError, match=r"LaunchTemplateData\.Imageld"):
        deploy_text(tmp_path, text)


def test_what_a_service_refuses_fails_the_deployment_with_its_words(tmp_path: Path) -> None:
    text = """
Resources:
  R:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [{like: aws}]}
"""
    with pytest.raises(DeploymentError, match=r"Resources\.R: .*Unrecognized match type like"):
        deploy_text(tmp_path, text)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{Ref: Nothing}", "Ref finds no 'Nothing'"),
        ("{'Fn::GetAtt': [Q, Colour]}", r"GetAtt finds no Q\.Colour"),
        ("{'Fn::Sub': 'a-${Nothing}'}", "Ref finds no 'Nothing'"),
        ("{'Fn::FindInMap': [A, b, c]}", "FindInMap finds no A / b / c"),
        ("{'Fn::ImportValue': x}", "the function Fn::ImportValue is not supported"),
        ("{'Fn::If': [Nothing, a, b]}", r"Conditions\.Nothing"),
        ("{'Fn::Select': [3, [a]]}", "Select finds no entry 3"),
    ],
)
def test_a_function_that_finds_nothing_names_its_place(
    tmp_path: Path, value: str, reason: str
) -> None:
    text = f"""
Resources:
  Q: {{Type: AWS::SQS::Queue}}
  P:
    Type: AWS::SSM::Parameter
    Properties: {{Name: p, Type: String, Value: {value}}}
"""
    with pytest.raises(DeploymentError, match=reason):
        deploy_text(tmp_path, text)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"Environment": "dev"}, "'dev' is not one of prod, staging"),
        ({"Address": "nobody"}, "an address or nothing"),
        ({"Timeout": "61"}, "more than 60"),
        ({"Timeout": "long"}, "no number"),
        ({"Colour": "red"}, "does not declare it"),
    ],
)
def test_a_parameter_that_is_not_allowed_fails_the_deployment(
    parameters: dict[str, str], reason: str
) -> None:
    with pytest.raises(DeploymentError, match=reason):
        deployed(**parameters)


def test_a_parameter_without_default_needs_a_value(tmp_path: Path) -> None:
    text = "Parameters: {A: {Type: String}}\nResources: {Q: {Type: AWS::SQS::Queue}}"

    with pytest.raises(DeploymentError, match=r"Parameters\.A: it has no default"):
        deploy_text(tmp_path, text)


def test_resources_that_need_each_other_are_told(tmp_path: Path) -> None:
    text = """
Resources:
  A: {Type: AWS::SQS::Queue, DependsOn: B}
  B: {Type: AWS::SQS::Queue, DependsOn: A}
"""
    with pytest.raises(DeploymentError, match="circle"):
        deploy_text(tmp_path, text)


def test_a_placeholder_that_nothing_stands_for_fails_the_deployment(tmp_path: Path) -> None:
    (tmp_path / "machine.yaml").write_text(
        "StartAt: A\nStates: {A: {Type: Succeed, Comment: 'see ${Missing}'}}", encoding="utf-8"
    )
    text = """
Transform: AWS::Serverless-2016-10-31
Resources:
  M:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: machine.yaml, Role: 'arn:aws:iam::111122223333:role/r'}
"""
    with pytest.raises(DeploymentError, match=r"\$\{Missing\}"):
        deploy_text(tmp_path, text)


def test_a_handler_that_is_not_there_fails_the_deployment(tmp_path: Path) -> None:
    text = """
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      {CodeUri: functions/nobody, Handler: app.handler, Runtime: python3.13,
       Role: 'arn:aws:iam::111122223333:role/r'}
"""
    with pytest.raises(DeploymentError, match="functions/nobody"):
        deploy_text(tmp_path, text)


def test_two_templates_may_have_functions_of_the_same_path(tmp_path: Path) -> None:
    folder = tmp_path / "functions" / "greet"
    folder.mkdir(parents=True)
    (folder / "app.py").write_text("def handler(event, context):\n    return 'other'\n")
    text = """
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      {CodeUri: functions/greet, Handler: app.handler, Runtime: python3.13,
       FunctionName: other, Role: 'arn:aws:iam::111122223333:role/r'}
"""
    deployed()
    world = World()
    template = tmp_path / "template.yaml"
    template.write_text(text, encoding="utf-8")
    deploy(world, template)

    assert world.awslambda.invoke("other", {}, caller="t").payload == "other"


def test_a_fleet_of_plain_cloudformation_is_deployed(tmp_path: Path) -> None:
    # Given somebody's fleet: a template, a target group behind a balancer, and a group
    text = """
Parameters:
  Size: {Type: Number, Default: 2}
Resources:
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateName: replicas
      LaunchTemplateData: {ImageId: ami-0123456789abcdef0, InstanceType: r6g.large}
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties: {Subnets: [subnet-1, subnet-2]}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Port: 80
      Protocol: HTTP
      DefaultActions: [{Type: forward, TargetGroupArn: !Ref Targets}]
  Targets:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      Port: 8080
      Protocol: HTTP
      VpcId: vpc-1
      TargetGroupAttributes: [{Key: deregistration_delay.timeout_seconds, Value: "30"}]
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    DependsOn: Listener
    Properties:
      AutoScalingGroupName: replicas
      MinSize: "0"
      MaxSize: "4"
      DesiredCapacity: !Ref Size
      HealthCheckType: ELB
      HealthCheckGracePeriod: 300
      AvailabilityZones: !GetAZs ""
      TargetGroupARNs: [!Ref Targets]
      LaunchTemplate:
        LaunchTemplateId: !Ref Template
        Version: !GetAtt Template.LatestVersionNumber
"""
    template = tmp_path / "fleet.yaml"
    template.write_text(text, encoding="utf-8")
    world = World()

    # When it is deployed and time passes
    stack = deploy(world, template, name="fleet")
    world.run_for(900)

    # Then its instances are in service
    health = (
        direct.session(world)
        .client("elbv2")
        .describe_target_health(TargetGroupArn=stack.physical_id("Targets"))[
            "TargetHealthDescriptions"
        ]
    )
    assert [target["TargetHealth"]["State"] for target in health] == ["healthy"] * 2
