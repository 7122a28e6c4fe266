"""official - events against the types of the official SDKs, strictly: no field that they do not know, none missing, no
value of another kind, at any depth. What Python's typing says is walked here; pydantic would say the same, and more loosely.
"""

import base64
import collections.abc
import enum
import functools
import os
import re
import types
import typing

from . import sdk

try:
    import typing_extensions as names
except ImportError:  # then the packages are not there either
    names = typing

CLIENT = {"voice": ("realtime.realtime_client_event_param", "RealtimeClientEventParam"),
          "transcription": ("realtime.realtime_client_event_param", "RealtimeClientEventParam"),
          "translation": ("realtime.realtime_translation_client_event_param", "RealtimeTranslationClientEventParam"),
          "live": ("live.client_event_param", "ClientEventParam"), "gemini": ("", "LiveClientMessage")}
SERVER = {"voice": ("realtime.realtime_server_event", "RealtimeServerEvent"),
          "transcription": ("realtime.realtime_server_event", "RealtimeServerEvent"),
          "translation": ("realtime.realtime_translation_server_event", "RealtimeTranslationServerEvent"),
          "live": ("live.server_event", "ServerEvent"), "gemini": ("", "LiveServerMessage")}


@functools.cache
def wanted(kind, server):
    """The type of an event; None where the packages are not installed, which is allowed outside CI only."""
    module, name = (SERVER if server else CLIENT)[kind]
    found = sdk.openai(module) if module else sdk.genai()
    if found is None and os.environ.get("CI"):
        raise RuntimeError("the official types are not installed, and without them no event can be judged: "
                           "tests/requirements.txt has them")
    return found and getattr(found, name)


def check(kind, event, server=False):
    """What is wrong with an event of a protocol, as a list of texts; server: one that the server sends."""
    whole = wanted(kind, server)
    name = event.get("type") if isinstance(event, dict) else None
    troubles = list(walk(whole, event, "")) if whole else []
    if kind == "gemini" and not server and isinstance(event, dict) and len(event) != 1:
        troubles.append(f"a message holds one of {sorted(event)}, not {len(event)}")
    return [f"{name or 'event'}: {trouble}" for trouble in troubles]


def available(kind):
    return wanted(kind, False) is not None


def at(path):
    return f"at '{path.lstrip('.')}'" if path else "at its top"


def walk(kind, value, path):
    """Yields what is wrong with a value."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Annotated, names.Required, names.NotRequired):
        yield from walk(args[0], value, path)
    elif kind in (typing.Any, object):
        return
    elif origin in (typing.Union, types.UnionType):
        yield from walk_union(args, value, path)
    elif origin in (typing.Literal, names.Literal):
        if not any(value == a and type(value) is type(a) for a in args):
            yield f"{at(path)}: {value!r} is none of {list(args)}"
    elif origin in (list, collections.abc.Sequence, collections.abc.Iterable):
        yield from walk_list(args[0], value, path)
    elif origin in (dict, collections.abc.Mapping):
        if not isinstance(value, dict):
            yield f"{at(path)}: {value!r:.80} is no object"
            return
        for key, each in value.items():
            yield from walk(args[1], each, f"{path}.{key}")
    elif is_object(kind):
        yield from walk_object(kind, value, path)
    elif trouble := simple(kind, value):
        yield f"{at(path)}: {trouble}"


def simple(kind, value):
    """What is wrong with a value that holds no others."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = {str: isinstance(value, str), bool: isinstance(value, bool), type(None): value is None,
            int: is_number and isinstance(value, int), float: is_number, bytes: is_base64(value),
            list: isinstance(value, list), dict: isinstance(value, dict)}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return None if value in [m.value for m in kind] else f"{value!r} is none of {[m.value for m in kind]}"
    if kind in (None, *fits):
        return None if fits[kind or type(None)] else f"{value!r:.80} is no {getattr(kind, '__name__', kind)}"
    return f"{value!r:.80} is no {kind}"


def is_base64(value):
    try:
        return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
    except ValueError:
        return False


def walk_list(kind, value, path):
    if not isinstance(value, list):
        yield f"{at(path)}: {value!r:.80} is no list"
        return
    for n, each in enumerate(value):
        yield from walk(kind, each, f"{path}[{n}]")


def flat(args):
    for a in args:
        inner = typing.get_args(a)[0] if typing.get_origin(a) is typing.Annotated else a
        if typing.get_origin(inner) in (typing.Union, types.UnionType):
            yield from flat(typing.get_args(inner))
        else:
            yield a


def walk_union(args, value, path):
    """Nothing, when one of them fits; else the complaints of the one that was meant, going by `type` and `role`."""
    meant = by_type(args).get(value.get("type")) if isinstance(value, dict) and type(value.get("type")) is str else None
    if meant:
        yield from walk(meant, value, path)
        return
    tried = [(a, list(walk(a, value, path))) for a in flat(args)]
    if any(not troubles for _, troubles in tried):
        return
    meant = [t for a, t in tried if is_object(a) and isinstance(value, dict) and tags_fit(a, value)]
    others = [t for a, t in tried if a is not type(None)]
    if meant or len(others) == 1:
        yield from min(meant or others, key=len)
    else:
        yield f"{at(path)}: {str(value):.80} fits none of {[getattr(a, '__name__', str(a)) for a, _ in tried][:12]}"


@functools.cache
def by_type(args):
    """{value of `type`: the one member that may have it}, where all members are told apart by it; else nothing."""
    table = {}
    for kind in flat(args):
        hint = fields(kind).get("type", (None,))[0] if is_object(kind) else None
        while typing.get_origin(hint) in (typing.Annotated, names.Required, names.NotRequired):
            hint = typing.get_args(hint)[0]
        if typing.get_origin(hint) not in (typing.Literal, names.Literal):
            return {}
        for word in typing.get_args(hint):
            table[word] = None if word in table else kind
    return table


def tags_fit(kind, value):
    tags = {n: k for n, (k, _) in fields(kind).items() if n in ("type", "role")}
    return all(not list(walk(k, value.get(n), "")) for n, k in tags.items())


# --- objects: TypedDict, and the models

def is_object(kind):
    return isinstance(kind, type) and (issubclass(kind, sdk.Model) or names.is_typeddict(kind))


@functools.cache
def fields(kind):
    """{name on the wire: (type, whether it must be there)}"""
    out = {}
    for name, hint in names.get_type_hints(kind, include_extras=True).items():
        default = getattr(kind, name, ...)
        alias = default.alias if isinstance(default, sdk.Field) else alias_of(hint)
        if issubclass(kind, sdk.Model):
            must = default is ... or isinstance(default, sdk.Field) and default.default is ...
        else:
            must = typing.get_origin(hint) is names.Required or (
                name in kind.__required_keys__ and typing.get_origin(hint) is not names.NotRequired)
        wire = alias or (camel(name) if kind.__module__ == "official_genai.types" else name)
        out[wire] = (hint, must)
    return {**out, **{k: (v, False) for k, v in left_out(kind).items()}}


def alias_of(hint):
    """Out of Required[Annotated[..., PropertyInfo(alias=...)]]."""
    while typing.get_origin(hint) in (names.Required, names.NotRequired):
        hint = typing.get_args(hint)[0]
    extras = typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()
    return next((e.alias for e in extras if isinstance(e, sdk.Field) and e.alias), None)


def camel(name):
    return re.sub(r"_([a-z0-9])", lambda m: m.group(1).upper(), name)


def left_out(kind):
    """Where the types say less than what else is official. Of google's first message: the field that its SDK sends and
    the type lacks; and two where the type takes what the SDK turns into something else before it is sent. Of OpenAI's
    audio: what their own description says may be null."""
    if kind.__name__ in ("RealtimeAudioConfigInputParam", "RealtimeTranscriptionSessionAudioInputParam"):
        hints = names.get_type_hints(kind)
        return {name: typing.Optional[hints[name]] for name in ("noise_reduction", "transcription")}
    if kind.__module__ != "official_genai.types" or kind.__name__ != "LiveClientSetup":
        return {}
    google = sdk.genai()
    return {"realtimeInputConfig": google.RealtimeInputConfig, "tools": list[google.Tool],
            "systemInstruction": google.Content}


def walk_object(kind, value, path):
    if not isinstance(value, dict):
        yield f"{at(path)}: {value!r:.80} is no object"
        return
    known = fields(kind)
    for name, each in value.items():
        if name in known:
            yield from walk(known[name][0], each, f"{path}.{name}")
        else:
            yield f"{at(path)}: no field '{name}' in {kind.__name__}"
    for name, (_, must) in known.items():
        if must and name not in value:
            yield f"{at(path)}: '{name}' is missing"
