"""What several tests of contracts begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.terminal import Terminal, another_account, terminal


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A machine with one profile that has credentials, and one that has none."""
    config = tmp_path_factory.mktemp("aws") / "config"
    config.write_text(
        "[profile checker]\naws_access_key_id = dummy\naws_secret_access_key = dummy\n"
        "[profile empty]\noutput = json\n",
        encoding="utf-8",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", str(config))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(config.with_name("none")))
        # Where a client calls that was given no endpoint: nothing listens there. A refusal that is
        # lost must fail its test at once instead of calling AWS.
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        patch.setenv("NO_PROXY", "127.0.0.1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Terminal]:
    with terminal(another_account(), tmp_path) as opened:
        yield opened
