"""How a deployment fails: always with the place in the template."""

from __future__ import annotations


class DeploymentError(Exception):
    """The template cannot be deployed; says where and why.

    Parameters
    ----------
    where
        The place in the template, such as ``Resources.Ledger.Properties.TimeToLive``.
    why
        What is wrong there.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
