"""AWS Lambda: functions, their permissions, and running them."""

from embedded.world.awslambda.function import (
    FunctionError,
    FunctionSpec,
    Handler,
    Invocation,
    LogRecord,
    Run,
)
from embedded.world.awslambda.service import Lambda

__all__ = ["FunctionError", "FunctionSpec", "Handler", "Invocation", "Lambda", "LogRecord", "Run"]
