"""What every test with real clients shares: a warehouse in a folder of its own."""
import pytest

from support import BINARY, Varve


def pytest_collection_modifyitems(items):
    if not BINARY.exists():
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"no varve binary at {BINARY} (set VARVE_BIN)"))


@pytest.fixture
def varve(tmp_path):
    """A new warehouse in a folder."""
    return Varve(tmp_path / "lake")


@pytest.fixture(scope="module")
def module_varve(tmp_path_factory):
    """A warehouse that the tests of one file share; they only read what its first user made."""
    return Varve(tmp_path_factory.mktemp("warehouse") / "lake")
