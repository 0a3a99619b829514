"""From a SAM template on the local disk to CloudFormation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embedded.translate import TranslationError, local_path, main, translate

TEMPLATE = Path(__file__).parent / "templates" / "greeting" / "template.yaml"


def test_sam_resources_become_cloudformation_ones() -> None:
    types = {resource["Type"] for resource in translate(TEMPLATE)["Resources"].values()}

    assert "AWS::Lambda::Function" in types
    assert not any(kind.startswith("AWS::Serverless") for kind in types)


def test_local_code_and_definitions_can_be_found_again() -> None:
    resources = translate(TEMPLATE)["Resources"]

    code = resources["GreetFunction"]["Properties"]["Code"]
    definition = resources["Machine"]["Properties"]["DefinitionS3Location"]
    assert local_path(code) == "functions/greet"
    assert local_path(definition) == "machine.asl.yaml"


def test_an_address_in_a_bucket_is_no_local_path() -> None:
    assert local_path({"S3Bucket": "releases", "S3Key": "code.zip"}) is None
    assert local_path({"ZipFile": "x = 1"}) is None


def test_a_translation_may_be_changed_without_harm_to_the_next() -> None:
    translate(TEMPLATE)["Resources"].clear()

    assert translate(TEMPLATE)["Resources"]


def test_a_template_without_transform_stays_as_it_is(tmp_path: Path) -> None:
    template = tmp_path / "plain.yaml"
    template.write_text("Resources: {Q: {Type: AWS::SQS::Queue}}", encoding="utf-8")

    assert translate(template) == {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}


def test_faults_of_a_template_are_told_with_their_resource(tmp_path: Path) -> None:
    template = tmp_path / "bad.yaml"
    template.write_text(
        "Transform: AWS::Serverless-2016-10-31\n"
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtme: x}}}\n",
        encoding="utf-8",
    )

    with pytest.raises(TranslationError, match=r"\[F\]"):
        translate(template)


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(TEMPLATE)]) == 0
    assert "GreetFunction" in json.loads(capsys.readouterr().out)["Resources"]


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["no-such-file.yaml"]) == 1
    assert "no-such-file.yaml" in capsys.readouterr().err
