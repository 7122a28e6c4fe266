"""sdk - the types of the official packages (openai, google-genai), and nothing else of them.

Those packages import half a world, of which a part is compiled; their types are annotations that need none of it. So
the modules with the types are loaded here as parts of packages of our own, in which stand-ins take the places of
pydantic and of the packages' insides. Nothing of that remains in sys.modules under the real names.
"""

import contextlib
import enum
import importlib
import importlib.util
import os
import sys
import types
import typing


class Model:
    """For pydantic's and the packages' BaseModel: keeps its annotations, and defaults as attributes of the class."""


class Field:
    """What Field(...), PropertyInfo(...) and the like were given."""

    def __init__(self, default=..., **given):
        self.default, self.given = default, given

    @property
    def alias(self):
        return self.given.get("alias")


class Words(str, enum.Enum):
    """For google's enumerations."""


def nothing(*given, **_):
    """For decorators: gives back what it decorates, at whatever distance."""
    if len(given) == 1 and callable(given[0]) or len(given) == 1 and isinstance(given[0], (classmethod, staticmethod)):
        return given[0]
    return nothing


class StandIn(types.ModuleType):
    """A module that has every name."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return {"BaseModel": Model, "GenericModel": Model, "Field": Field, "PropertyInfo": Field, "StrictStr": str,
                "StrictBool": bool, "SequenceNotStr": typing.Sequence, "CaseInSensitiveEnum": Words}.get(name, nothing)


def package(name, folder=None):
    """An empty package; with a folder, one whose modules can be imported."""
    module = StandIn(name) if folder is None else types.ModuleType(name)
    module.__path__ = [] if folder is None else [str(folder)]
    sys.modules[name] = module
    return module


@contextlib.contextmanager
def stand_ins():
    """pydantic as a stand-in, and what the types would like to have as not there."""
    missing = ("httpx", "httpx2", "aiohttp", "PIL", "PIL.Image", "mcp", "yaml")
    before = {n: sys.modules.get(n) for n in ("pydantic", "pydantic.fields", *missing)}
    package("pydantic")
    package("pydantic.fields")
    sys.modules.update(dict.fromkeys(missing))
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


def folder_of(name):
    """Where a package lies; None when it is not installed. Nothing of it is run."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return next(iter(spec.submodule_search_locations)) if spec and spec.submodule_search_locations else None


def openai(module):
    """The module openai.types.MODULE, as "realtime.realtime_client_event_param"; None: not installed."""
    folder = folder_of("openai")
    if folder is None:
        return None
    if "official_openai" not in sys.modules:
        package("official_openai", folder)
        for inside in ("_models", "_types", "_utils", "_compat"):
            package(f"official_openai.{inside}")
        for part in ("", ".realtime", ".live", ".responses", ".shared", ".shared_params", ".audio", ".chat", ".graders"):
            package(f"official_openai.types{part}", folder + "/types" + part.replace(".", "/"))
    with stand_ins():
        return importlib.import_module(f"official_openai.types.{module}")


def genai():
    """The module google.genai.types; None: not installed. `google` is a package that many share, without an __init__."""
    spec = importlib.util.find_spec("google")
    folder = next((f for at in (spec.submodule_search_locations if spec else ())
                   if os.path.exists(f := os.path.join(at, "genai"))), None)
    if folder is None:
        return None
    if "official_genai" not in sys.modules:
        package("official_genai", folder)
        for inside in ("_common", "_operations_converters"):
            package(f"official_genai.{inside}")
    with stand_ins():
        return importlib.import_module("official_genai.types")
