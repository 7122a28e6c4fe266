"""realtime - a scripted realtime endpoint for the tests: see README.md."""

from .endpoint import Endpoint
from .faults import Fault
from .marker import find, marker
from .script import Reply, Script, by_marker
from .shapes import ERRORS

__all__ = ["ERRORS", "Endpoint", "Fault", "Reply", "Script", "by_marker", "find", "marker"]
