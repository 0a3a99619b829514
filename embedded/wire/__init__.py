"""The wire door: the world behind real HTTP endpoints, for boto3 and the ``aws`` CLI."""
