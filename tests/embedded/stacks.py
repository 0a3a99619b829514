"""A world with CloudFormation, for tests of stacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from embedded import direct, plain
from embedded.wire.cloudformation import CloudFormation
from embedded.world.world import World

ROOT = Path(__file__).parents[2]
MORE_THAN_A_STACK_TAKES = 600


class Account:
    """A world with CloudFormation, and shorthands for what every test does."""

    def __init__(self) -> None:
        self.world = World()
        self.world.add_service(CloudFormation(self.world, ROOT))
        plain.attach(self.world)
        self.session = direct.session(self.world)
        self.cloudformation: Any = self.client("cloudformation")

    def client(self, service: str) -> Any:
        make: Any = self.session.client
        return make(service)

    def create(self, resources: dict[str, Any], **more: Any) -> str:
        """Create a stack and let it come to rest; gives its status."""
        self.cloudformation.create_stack(StackName="it", TemplateBody=template(resources), **more)
        return self.settled()

    def update(self, resources: dict[str, Any], **more: Any) -> str:
        self.cloudformation.update_stack(StackName="it", TemplateBody=template(resources), **more)
        return self.settled()

    def delete(self) -> None:
        self.cloudformation.delete_stack(StackName="it")
        self.world.run_for(MORE_THAN_A_STACK_TAKES)

    def settled(self) -> str:
        self.world.run_for(MORE_THAN_A_STACK_TAKES)
        return str(self.stack()["StackStatus"])

    def stack(self) -> Any:
        return self.cloudformation.describe_stacks(StackName="it")["Stacks"][0]

    def physical_id(self, logical_id: str) -> str:
        found = self.cloudformation.describe_stack_resource(
            StackName="it", LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def statuses(self, logical_id: str) -> list[str]:
        """What happened to a resource, in its order."""
        events = self.cloudformation.describe_stack_events(StackName="it")["StackEvents"]
        return [
            event["ResourceStatus"]
            for event in reversed(events)
            if event["LogicalResourceId"] == logical_id
        ]

    def parameters(self) -> dict[str, str]:
        found = self.client("ssm").get_parameters_by_path(Path="/", Recursive=True)["Parameters"]
        return {one["Name"]: one["Value"] for one in found}


def template(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


def parameter(name: str, value: Any, **members: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": name, "Type": "String", "Value": value},
        **members,
    }
