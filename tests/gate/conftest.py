"""One small frozen audit, shared."""

from __future__ import annotations

import pytest

from gated import Gated, build_gated


@pytest.fixture(scope="session")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Gated:
    return build_gated(tmp_path_factory.mktemp("gated"))
