"""Turns a SAM template into the CloudFormation template that AWS would deploy.

``python -m embedded.translate template.yaml`` prints it as JSON, for linters to read.

The translator refuses code, layers and definitions on the local disk, because it expects ``sam
package`` to have uploaded them. They are given an address in a bucket that does not exist,
:data:`LOCAL_BUCKET`, whose key is the local path; whoever deploys finds them by it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import boto3
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from embedded.world.values import copied

LOCAL_BUCKET: Final = "local"
REGION: Final = "us-east-1"
LOCAL_URIS: Final = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}
"""The property of each kind of resource that may name something on the local disk."""
USAGE: Final = "usage: python -m embedded.translate TEMPLATE"


class TranslationError(Exception):
    """The template is not valid SAM; says what is wrong, one cause to a line."""


def translate(template: Path, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Translate a template; the same content is translated once in a process.

    Parameters
    ----------
    template
        A SAM or CloudFormation template in YAML or JSON.
    parameters
        Parameter values that differ from the defaults; some SAM properties are resolved early.

    Returns
    -------
    dict
        The CloudFormation template, a copy that the caller may change.

    Raises
    ------
    TranslationError
        When the translator finds faults, each with its resource.
    """
    values = json.dumps(dict(parameters or {}), sort_keys=True)
    return translated_text(template.read_text(encoding="utf-8"), values)


def translated_text(text: str, parameters: str) -> dict[str, Any]:
    """Translate a template given as text, with parameter values given as JSON."""
    copy: dict[str, Any] = copied(_translated(text, parameters))
    return copy


@cache
def _translated(text: str, parameters: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml_parse(text)
    if "Transform" not in document:
        return document
    _give_addresses(document)
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    try:
        made: dict[str, Any] = translator.translate(document, json.loads(parameters))
    except InvalidDocumentException as error:
        causes = "\n".join(f"  {cause.message}" for cause in error.causes)
        raise TranslationError(f"the template is not valid:\n{causes}") from error
    # Through JSON, which also turns the translator's own text and mapping classes plain.
    plain: dict[str, Any] = json.loads(json.dumps(made))
    return plain


def local_path(address: Any) -> str | None:
    """Give the local path behind a bucket and key, or None when it is a real address."""
    if not isinstance(address, dict):
        return None
    bucket = address.get("S3Bucket", address.get("Bucket"))
    path: str | None = address.get("S3Key", address.get("Key"))
    return path if bucket == LOCAL_BUCKET else None


def _give_addresses(document: dict[str, Any]) -> None:
    in_globals = document.get("Globals", {}).get("Function", {})
    _give_address(in_globals, "CodeUri")
    for resource in document.get("Resources", {}).values():
        if name := LOCAL_URIS.get(resource.get("Type")):
            _give_address(resource.setdefault("Properties", {}), name)


def _give_address(properties: dict[str, Any], name: str) -> None:
    value = properties.get(name)
    if isinstance(value, str) and not value.startswith("s3://"):
        properties[name] = {
            "Bucket": LOCAL_BUCKET,
            "Key": Path(value).as_posix(),
        }


def main(arguments: list[str]) -> int:
    """Print the translation of a template; 2 when called wrongly, 1 when it is not valid."""
    if len(arguments) != 1:
        sys.stderr.write(f"{USAGE}\n")
        return 2
    try:
        made = translate(Path(arguments[0]))
    except (TranslationError, OSError) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1
    sys.stdout.write(json.dumps(made, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
