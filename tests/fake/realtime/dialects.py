"""dialects - how other services differ from OpenAI's: paths, headers, names and shapes. Tables; no protocol logic.

A dialect sees each event on its way: `incoming` makes what the program sent into OpenAI's form, `outgoing` makes
what the sessions here send into the service's, as a list.
"""


class Dialect:
    """OpenAI itself."""

    name = "openai"
    paths = {"/v1/realtime": "voice", "/v1/realtime/translations": "translation", "/v1/live/sessions": "live"}
    binary = binary_out = False  # whether messages are binary frames
    ends_on_bad_json = False
    official = True  # the program's events are checked against the official types
    key_header = ("authorization", "Bearer {key}")

    def name_of(self, event):
        kind = event.get("type")
        return kind if isinstance(kind, str) else "(no type)"

    def protocol(self, path, query):
        kind = self.paths.get(path)
        return "transcription" if kind == "voice" and query.get("intent") == "transcription" else kind

    def shows_key(self, key, headers, query):
        header, form = self.key_header
        return headers.get(header) == form.format(key=key)

    def incoming(self, event):
        return event

    def outgoing(self, event):
        return [event]


DIALECTS = {d.name: d for d in (Dialect,)}
