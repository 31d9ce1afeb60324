"""From botpy's dicts for a message to the classes of this package: text, markdown, keyboards, cards, media.

Responsible for the one argument that a sending call has here. Collaborators: `rewriting` follows variables to the dict
that was put in them, and rewrites what stands inside. What is no literal in the file is passed on in `extra=`.
"""

from collections.abc import Callable
from typing import Protocol

import libcst as cst

from ...models.keyboards import ButtonStyle
from .syntax import (
    arguments,
    call,
    dictionary,
    dotted,
    entries,
    expression,
    is_none,
    items,
    listing,
    literal,
    named_argument,
    string,
    text,
)
from .tables import MEDIA, UPLOADS

Parts = dict[str, cst.BaseExpression]


class Surroundings(Protocol):
    """The function that a message is sent in."""

    def follow(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """Return what a variable holds, if that is certain; else the node."""
        ...

    def file_form(self, node: cst.BaseExpression) -> str:
        """Return what a file that is sent is: "bytes", an open "file", or "unknown"."""
        ...

    def followed_so_far(self) -> frozenset[tuple[str, int]]:
        """Return which uses of variables were replaced by their values."""
        ...

    def follow_only(self, uses: frozenset[tuple[str, int]]) -> None:
        """Take back what was followed since."""
        ...

    def is_botpy(self, node: cst.BaseExpression) -> bool:
        """True for a name of botpy."""
        ...

    def rewrite(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """Return the node as it is written with this package."""
        ...

    def need(self, name: str, module: str = "qqbot") -> str:
        """Import a name, and return it."""
        ...

    def remark(self, text: str) -> None:
        """Write a comment above the statement."""
        ...

    def upload_of(self, node: cst.BaseExpression) -> tuple[str, cst.Call] | None:
        """Return the name and the call if the node is an upload of botpy."""
        ...


class UnknownPart(Exception):
    """A part of a message that is no literal, or has a field without a counterpart."""


def message(given: Parts, place: Surroundings) -> cst.BaseExpression:
    """Return the message that a call of botpy with these arguments sends."""
    parts = {name: value for name, value in given.items() if not is_none(value)}
    return _MessageWriter(parts, place).write()


class _MessageWriter:
    def __init__(self, parts: Parts, place: Surroundings) -> None:
        self.parts = parts
        self.place = place
        self.options: Parts = {}
        self.extra: Parts = {}

    def write(self) -> cst.BaseExpression:
        self._quote()
        kinds: dict[str, Callable[[cst.BaseExpression], cst.Call]] = {
            "markdown": self._markdown,
            "ark": self._ark,
            "embed": self._embed,
            "media": self._media,
            "image": self._image,
            "file_image": self._file_image,
        }
        for name, make in kinds.items():
            if name in self.parts:
                return self._kind(name, make)
        return self._text()

    def _kind(self, name: str, make: Callable[[cst.BaseExpression], cst.Call]) -> cst.BaseExpression:
        value = self.parts.pop(name)
        before = self.place.followed_so_far()
        try:
            made = make(value)
        except UnknownPart:
            self.place.follow_only(before)
            return self._as_it_is(name, value)
        if "content" in self.parts:
            self.extra["content"] = self.place.rewrite(self.parts.pop("content"))
        self._loose_keyboard()
        return self._with_options(made)

    def _as_it_is(self, name: str, value: cst.BaseExpression) -> cst.BaseExpression:
        """Pass on what cannot be read here: the body has the same field, and the user is asked to look."""
        self.extra[name] = self.place.rewrite(value)
        self.extra["content"] = self.place.rewrite(self.parts.pop("content")) if "content" in self.parts else text("")
        if "msg_type" in self.parts:
            self.extra["msg_type"] = self.place.rewrite(self.parts["msg_type"])
        self._loose_keyboard()
        kind = {"markdown": "Markdown", "ark": "Ark", "embed": "Embed"}.get(name, "Media.image")
        self.place.remark(f"build this {name} with {kind}(...). 请改用 {kind}(...) 构造")
        return self._with_options(call(self.place.need("Text"), text("-")))

    def _text(self) -> cst.BaseExpression:
        self._loose_keyboard()
        content = self.parts.get("content")
        if content is None:
            self.extra["content"] = text("")
            return self._with_options(call(self.place.need("Text"), text("-")))
        written = self.place.rewrite(content)
        if not self.options and not self.extra:
            return written
        return self._with_options(call(self.place.need("Text"), written))

    def _with_options(self, made: cst.Call) -> cst.Call:
        options = dict(self.options)
        if self.extra:
            options["extra"] = dictionary(self.extra)
        more = [named_argument(name, value) for name, value in options.items()]
        return made.with_changes(args=[*made.args, *more])

    def _quote(self) -> None:
        reference = self.parts.pop("message_reference", None)
        if reference is None:
            return
        found = self._entries(reference)
        if found is None or not found.keys() <= {"message_id", "ignore_get_message_error"} or "message_id" not in found:
            self.extra["message_reference"] = self.place.rewrite(self.place.follow(reference))
            return
        self.options["quote"] = self.place.rewrite(found["message_id"])
        if (ignore := found.get("ignore_get_message_error")) is not None:
            self.options["ignore_missing_quote"] = self.place.rewrite(ignore)

    def _loose_keyboard(self) -> None:
        keyboard = self.parts.pop("keyboard", None)
        if keyboard is not None:
            self.extra["keyboard"] = self.place.rewrite(self.place.follow(keyboard))

    def _entries(self, node: cst.BaseExpression) -> Parts | None:
        """Return what a dict or one of botpy's builders holds; None for a call of anything else."""
        found = self.place.follow(node)
        if isinstance(found, cst.Call) and dotted(found.func) != "dict" and not self.place.is_botpy(found.func):
            return None
        return entries(found)

    def _fields(self, node: cst.BaseExpression, known: set[str]) -> Parts:
        found = self._entries(node)
        if found is None or not found.keys() <= known:
            raise UnknownPart
        return {name: value for name, value in found.items() if not is_none(value)}

    def _items(self, node: cst.BaseExpression | None) -> list[cst.BaseExpression]:
        found = [] if node is None else items(self.place.follow(node))
        if found is None:
            raise UnknownPart
        return found

    def _markdown(self, node: cst.BaseExpression) -> cst.Call:
        found = self._fields(node, {"content", "template_id", "custom_template_id", "params"})
        template = found.get("custom_template_id") or found.get("template_id")
        if template is not None:
            made = self._template(template, found.get("params"))
        elif "content" in found:
            made = call(self.place.need("Markdown"), self.place.rewrite(found["content"]))
        else:
            raise UnknownPart
        keyboard = self.parts.get("keyboard")
        if keyboard is not None:
            before = self.place.followed_so_far()
            try:
                self.options["keyboard"] = self._keyboard(keyboard)
                del self.parts["keyboard"]
            except UnknownPart:
                self.place.follow_only(before)
        return made

    def _template(self, template: cst.BaseExpression, params: cst.BaseExpression | None) -> cst.Call:
        values: list[cst.DictElement] = []
        for each in self._items(params):
            pair = self._fields(each, {"key", "values"})
            if "key" not in pair or "values" not in pair:
                raise UnknownPart
            several = items(pair["values"])
            value = several[0] if several and len(several) == 1 else pair["values"]
            values.append(cst.DictElement(self.place.rewrite(pair["key"]), self.place.rewrite(value)))
        name = self.place.need("Markdown")
        return call(f"{name}.template", self.place.rewrite(template), *([cst.Dict(values)] if values else []))

    def _keyboard(self, node: cst.BaseExpression) -> cst.Call:
        found = self._fields(node, {"id", "content"})
        name = self.place.need("Keyboard")
        if "id" in found:
            return call(f"{name}.template", self.place.rewrite(found["id"]))
        if "content" not in found:
            raise UnknownPart
        rows = self._items(self._fields(found["content"], {"rows"}).get("rows"))
        return call(name, listing([self._row(each) for each in rows]))

    def _row(self, node: cst.BaseExpression) -> cst.BaseExpression:
        return listing([self._button(each) for each in self._items(self._fields(node, {"buttons"}).get("buttons"))])

    def _button(self, node: cst.BaseExpression) -> cst.Call:
        found = self._fields(node, {"id", "render_data", "action"})
        if "render_data" not in found or "action" not in found:
            raise UnknownPart
        shown = self._fields(found["render_data"], {"label", "visited_label", "style"})
        action = self._fields(found["action"], ACTION_FIELDS)
        kind = BUTTONS.get(literal(self.place.follow(action.get("type", text("")))))
        if kind is None or "label" not in shown or "data" not in action:
            raise UnknownPart
        options = self._button_options(found, shown, action)
        name = self.place.need("Button")
        label, data = self.place.rewrite(shown["label"]), self.place.rewrite(action["data"])
        return call(f"{name}.{kind}", label, data, **options)

    def _button_options(self, found: Parts, shown: Parts, action: Parts) -> Parts:
        options: Parts = {}
        if "id" in found:
            options["button_id"] = self.place.rewrite(found["id"])
        if "visited_label" in shown and string(shown["visited_label"]) != string(shown["label"]):
            options["visited_label"] = self.place.rewrite(shown["visited_label"])
        style = literal(shown["style"]) if "style" in shown else 0
        if not isinstance(style, int) or style not in list(ButtonStyle):
            raise UnknownPart
        if style != ButtonStyle.BLUE_OUTLINE:
            options["style"] = cst.parse_expression(f"{self.place.need('ButtonStyle')}.{ButtonStyle(style).name}")
        if "permission" in action and (allowed := self._permission(action["permission"])):
            options["permission"] = allowed
        options |= {to: self.place.rewrite(action[name]) for name, to in ACTION_OPTIONS.items() if name in action}
        return options

    def _permission(self, node: cst.BaseExpression) -> cst.Call | None:
        """Return who may press; None for everyone, the default."""
        found = self._fields(node, {"type", "specify_user_ids", "specify_role_ids"})
        kind = literal(found.get("type", text("")))
        if kind == 2:
            return None
        name = self.place.need("ButtonPermission")
        if kind == 1:
            return call(f"{name}.admins")
        ids = {0: "specify_user_ids", 3: "specify_role_ids"}.get(kind) if isinstance(kind, int) else None
        if ids is None:
            raise UnknownPart
        chosen = [self.place.rewrite(each) for each in self._items(found.get(ids))]
        return call(f"{name}.{'users' if kind == 0 else 'roles'}", *chosen)

    def _ark(self, node: cst.BaseExpression) -> cst.Call:
        found = self._fields(node, {"template_id", "kv"})
        if "template_id" not in found:
            raise UnknownPart
        values = [self._ark_pair(each) for each in self._items(found.get("kv"))]
        return call(self.place.need("Ark"), self.place.rewrite(found["template_id"]), cst.Dict(values))

    def _ark_pair(self, node: cst.BaseExpression) -> cst.DictElement:
        found = self._fields(node, {"key", "value", "obj"})
        if "key" not in found:
            raise UnknownPart
        key = self.place.rewrite(found["key"])
        if "obj" in found:
            lines = [self._fields(each, {"obj_kv"}).get("obj_kv") for each in self._items(found["obj"])]
            return cst.DictElement(
                key, listing([cst.Dict([self._ark_pair(pair) for pair in self._items(line)]) for line in lines])
            )
        return cst.DictElement(key, self.place.rewrite(found.get("value", text(""))))

    def _embed(self, node: cst.BaseExpression) -> cst.Call:
        found = self._fields(node, {"title", "prompt", "thumbnail", "fields", "description"})
        options: Parts = {}
        if lines := [self._embed_line(each) for each in self._items(found.get("fields"))]:
            options["fields"] = listing(lines)
        for name in ("prompt", "description"):
            if name in found:
                options[name] = self.place.rewrite(found[name])
        if "thumbnail" in found:
            picture = self._fields(found["thumbnail"], {"url"})
            if "url" in picture:
                options["thumbnail"] = self.place.rewrite(picture["url"])
        return call(self.place.need("Embed"), self.place.rewrite(found.get("title", text(""))), **options)

    def _embed_line(self, node: cst.BaseExpression) -> cst.BaseExpression:
        found = self._fields(node, {"name", "value"})
        if "name" not in found:
            raise UnknownPart
        name = self.place.rewrite(found["name"])
        if "value" in found:
            return expression("({name}, {value})", name=name, value=self.place.rewrite(found["value"]))
        return name

    def _media(self, node: cst.BaseExpression) -> cst.Call:
        upload = self.place.upload_of(self.place.follow(node))
        if upload is None:
            raise UnknownPart
        return self._said(media(*upload, self.place))

    def _image(self, node: cst.BaseExpression) -> cst.Call:
        return self._said(call(f"{self.place.need('Media')}.image", self.place.rewrite(node)))

    def _file_image(self, node: cst.BaseExpression) -> cst.Call:
        found = self.place.follow(node)
        source = self.place.rewrite(found)
        match found:
            case cst.Call(cst.Name("open"), [cst.Arg(path), *_]):
                source = call(self.place.need("Path", "pathlib"), self.place.rewrite(path))
            case cst.SimpleString() | cst.ConcatenatedString() if string(found) is not None:
                source = call(self.place.need("Path", "pathlib"), source)
            case cst.Name() if self.place.file_form(found) == "file":
                source = expression("{source}.read()", source=source)
            case cst.Name() if self.place.file_form(found) == "unknown":
                made = self.place.need("Path", "pathlib")
                template = f"{made}({{source}}) if isinstance({{source}}, str) else {{source}}"
                source = expression(template, source=source)
            case _:
                pass
        return self._said(call(f"{self.place.need('Media')}.image", source))

    def _said(self, made: cst.Call) -> cst.Call:
        if "content" not in self.parts:
            return made
        said = self.place.rewrite(self.parts.pop("content"))
        return made.with_changes(args=[*made.args, cst.Arg(said)])


ACTION_OPTIONS = {"unsupport_tips": "tips", "enter": "enter", "reply": "reply", "anchor": "anchor"}
ACTION_FIELDS = {"type", "permission", "data", "click_limit", "at_bot_show_channel_list", *ACTION_OPTIONS}
"""The platform no longer reads `click_limit` and `at_bot_show_channel_list`."""
BUTTONS: dict[object, str] = {0: "link", 1: "callback", 2: "command"}


def media(name: str, node: cst.Call, place: Surroundings) -> cst.Call:
    """Return the `Media` for a call of `post_group_file` or `post_c2c_file`.  Raises: UnknownPart."""
    found = arguments(node, (UPLOADS[name][1], "file_type", "url", "srv_send_msg"))
    if found is None or "url" not in found:
        raise UnknownPart
    kind = place.follow(found.get("file_type", text("")))
    method = MEDIA.get(str(literal(kind))) if dotted(kind) is None else None
    if method is None:
        raise UnknownPart
    return call(f"{place.need('Media')}.{method}", place.rewrite(found["url"]))
