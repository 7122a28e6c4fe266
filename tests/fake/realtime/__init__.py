"""realtime - a scripted realtime endpoint for the tests: see README.md."""

from .endpoint import Endpoint
from .faults import Fault
from .marker import find, marker
from .script import Reply, Script

__all__ = ["Endpoint", "Fault", "Reply", "Script", "find", "marker"]
