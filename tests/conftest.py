"""What every pytest folder here may use. `make test` sets HULLO, HULLO_BUILD, HULLO_SHARE, BUILD and MODELS."""

import contextlib
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))


def pytest_configure(config):
    config.addinivalue_line("markers", "models: needs the big models; left out with MODELS=0 and with LOCAL=0")


def pytest_collection_modifyitems(items):
    off = [f"{name}=0" for name in ("MODELS", "LOCAL") if os.environ.get(name) == "0"]
    for item in items if off else []:
        if item.get_closest_marker("models"):
            item.add_marker(pytest.mark.skip(reason=f"{off[0]} leaves out what needs the big models"))


@pytest.fixture(scope="session")
def hullo():
    """Absolute path of the program under test."""
    path = pathlib.Path(os.environ.get("HULLO", ROOT / "build" / "hullo")).absolute()
    assert path.exists(), f"'{path}' is not built: run make first"
    return str(path)


@pytest.fixture
def endpoint():
    """Starts scripted realtime endpoints (fake/realtime): endpoint(replies=["Paris."]), and so on."""
    from fake.realtime import Endpoint

    with contextlib.ExitStack() as running:
        yield lambda *script, **how: running.enter_context(Endpoint(*script, **how))
