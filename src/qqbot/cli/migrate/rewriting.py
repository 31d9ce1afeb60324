"""One function of a botpy bot, rewritten for this package.

Responsible for what names, attributes and calls become inside a function or at the top of the file. Collaborators:
`program` (what the file consists of), `fields` (what a dict's key is called), `calls` and `messages` (what is called
and sent), `assembly` (puts the file together).
"""

from collections import Counter, defaultdict

import libcst as cst

from . import calls, fields
from .messages import Parts
from .program import Program, is_api, is_static, parameters
from .syntax import (
    Bindings,
    arguments,
    bindings,
    call,
    code,
    dictionary,
    dotted,
    entries,
    expression,
    is_none,
    marked,
    names,
    string,
    walk,
)
from .tables import API as API_CLASSES
from .tables import (
    CALLS,
    COMMANDS,
    ERRORS,
    HINTS,
    LOGGER,
    LOGGERS,
    MEMBERS,
    MODELS,
    PAYLOADS,
    PERMISSION,
    PERMISSIONS,
    READ_YAML,
    SENDS,
    UPLOADS,
    SendRow,
)

MUTATING = ("append", "extend", "insert", "update", "setdefault", "pop", "clear", "remove")


class Needs:
    """What the new file imports, and what was rewritten in it. `imported`: modules that it imports already."""

    def __init__(self, imported: set[str]) -> None:
        self.imported = imported
        self.names: dict[str, set[str]] = defaultdict(set)
        self.modules: set[str] = set()
        self.left: set[str] = set()  # names of botpy that stay
        self.calls: set[int] = set()

    def add(self, name: str, module: str = "qqbot") -> str:
        """Import a name, and return how it is written."""
        if module in self.imported:
            return f"{module}.{name}"
        self.names[module].add(name)
        return name


class Rewriter(cst.CSTTransformer):
    """Rewrites one function, or the statements at the top of the file.

    `context`: the parameter that is an event; it becomes `ctx`.
    """

    def __init__(self, program: Program, needs: Needs, function: cst.FunctionDef | None) -> None:
        super().__init__()
        self.program = program
        self.needs = needs
        self.method = function is not None and program.methods.get(function.name.value) is function
        self.selves = set(program.instances)
        self.context, self.events = "", list[str]()
        self.apis = set[str]()
        self.local = Bindings() if function is None else bindings(function)
        self.changed: set[str] = set() if function is None else _changed(function)
        self.followed: set[tuple[str, int]] = set()  # name and node of each use that was replaced by the value
        self.remarks: list[str] = []
        self.untouched: set[int] = set()  # names of attributes, keywords and parameters: no variables
        self.shapes: dict[str, fields.Shape] = {}
        if function is not None:
            self._enter(function)
        self._learn()

    def _enter(self, function: cst.FunctionDef) -> None:
        given = parameters(function)
        self.selves -= {each.name.value for each in given}
        if self.method and given and not is_static(function):
            self.selves.add(given[0].name.value)
        if self.program.function(function.name.value) is function:
            for name, events in self.program.contexts[function.name.value].items():
                self.context, self.events = name, events
        self.apis = {each.name.value for each in given if is_api(each, function, self.program)}

    def _learn(self) -> None:
        """Find the variables that hold an answer of the platform."""
        for _ in range(3):  # a value may come from another variable, and that from a third
            for name, values in self.local.values.items():
                self._learn_name(name, [self.shape(each) for each in values if not is_none(each)])
            for name, value in self.local.gathered:
                if shape := self.shape(value):
                    self.shapes.setdefault(name, fields.Shape(shape.kind, listed=True))
            for name, values in self.local.loops.items():
                shapes = [self.shape(each) for each in values]
                self._learn_name(name, [each.element if each else None for each in shapes])

    def _learn_name(self, name: str, shapes: list[fields.Shape | None]) -> None:
        """Keep the shape of a variable if each value has the same, and nothing else binds it."""
        bound = len(self.local.values.get(name, ())) + len(self.local.loops.get(name, ()))
        if bound == self.local.counts[name] and len(set(shapes)) == 1 and shapes[0] is not None:
            self.shapes[name] = shapes[0]

    # Surroundings of a message and a call

    def follow(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """Return what a variable holds, if one assignment binds it and nothing changes it; else the node."""
        if not isinstance(node, cst.Name) or node.value in self.changed:
            return node
        local = node.value in self.local.counts
        found = (self.local if local else self.program.top).value(node.value)
        if found is None or not self._is_builder(found):
            return node
        self.followed.add((node.value, id(node)))
        return found

    def file_form(self, node: cst.BaseExpression) -> str:
        """Return what a file that is sent is: "bytes", an open "file", or "unknown"."""
        if not isinstance(node, cst.Name):
            return "bytes"
        if node.value in self.local.files:
            return "file"
        match self.local.value(node.value):
            case cst.Call(cst.Attribute(_, cst.Name("read" | "read_bytes" | "getvalue"))) | cst.Await():
                return "bytes"
            case _:
                pass
        return "unknown"

    def followed_so_far(self) -> frozenset[tuple[str, int]]:
        """Return which uses of variables were replaced by their values."""
        return frozenset(self.followed)

    def follow_only(self, uses: frozenset[tuple[str, int]]) -> None:
        """Take back what was followed since."""
        self.followed = set(uses)

    def _is_builder(self, node: cst.BaseExpression) -> bool:
        """True for what is worth looking into: a literal, one of botpy's builders, an upload, an open file."""
        match node:
            case cst.Dict() | cst.List() | cst.SimpleString() | cst.Integer():
                return True
            case cst.Await(cst.Call()):
                return self.upload_of(node) is not None
            case cst.Call():
                return self.program.qualified(node.func).startswith("botpy.types.") or dotted(node.func) == "open"
            case _:
                pass
        return False

    def rewrite(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """Return the node as it is written with this package."""
        done = node.visit(self)
        assert isinstance(done, cst.BaseExpression)
        return done

    def need(self, name: str, module: str = "qqbot") -> str:
        """Import a name, and return it."""
        return self.needs.add(name, module)

    def remark(self, text: str) -> None:
        """Write a comment above the statement."""
        if text not in self.remarks:
            self.remarks.append(text)

    def upload_of(self, node: cst.BaseExpression) -> tuple[str, cst.Call] | None:
        """Return the name and the call if the node is an upload of botpy."""
        match node:
            case cst.Await(cst.Call(cst.Attribute(owner, cst.Name(name))) as made) if name in UPLOADS:
                return (name, made) if self.is_api(owner) else None
            case _:
                pass
        return None

    def is_botpy(self, node: cst.BaseExpression) -> bool:
        """True for a name of botpy."""
        return bool(self.program.qualified(node))

    def is_api(self, node: cst.BaseExpression) -> bool:
        """True for botpy's `BotAPI`."""
        match node:
            case cst.Name(name):
                bound = self.local.value(name)
                return name in self.apis or (bound is not None and self.is_api(bound))
            case cst.Attribute(cst.Name(owner), cst.Name(name)):
                return (name == "api" and owner in self.selves) or (name in ("_api", "api") and owner == self.context)
            case _:
                pass
        return False

    def api_text(self, node: cst.BaseExpression) -> str:
        """Return how botpy's `api` is written here."""
        if isinstance(node, cst.Name):
            return node.value
        if self.is_api(node):
            return "ctx.api" if self.context else "bot.api"
        assert isinstance(node, cst.Attribute)
        return f"{code(self.rewrite(node.value))}.api"

    def answers(self, given: Parts, row: SendRow) -> str | None:
        """Return "ctx" if the message answers the event of this function, in its own conversation."""
        reference = self._own(given.get("msg_id")) or self._own(given.get("event_id"))
        place = self._own(given.get(row.place))
        named = {"id"} if "msg_id" in given else {"event_id"}
        if (
            reference not in named
            or place not in row.own
            or (self.events and row.place == "guild_id" and "DirectMessageCreate" not in self.events)
        ):
            return None
        return "ctx"

    def _own(self, node: cst.BaseExpression | None) -> str | None:
        """Return the path of a field of the event, "id" for `message.id`, also through a variable."""
        if isinstance(node, cst.Name) and (bound := self.local.value(node.value)) is not None:
            node = bound
        head, _, rest = (dotted(node) or "").partition(".")
        return rest if self.context and head == self.context else None

    # Shapes

    def shape(self, node: cst.BaseExpression) -> fields.Shape | None:  # noqa: PLR0911 - one row for each form
        """Return what an expression of botpy evaluates to here; None for a plain or unknown value."""
        match node:
            case cst.Name(name):
                return fields.event(self.events[0]) if name == self.context else self.shapes.get(name)
            case cst.Await(cst.Call() as made):
                return self._answer(made)
            case cst.Attribute(cst.Name(owner), cst.Name("robot")) if owner in self.selves:
                return fields.model("ReadyUser")
            case cst.Attribute(owner, cst.Name(name)):
                return self._part(owner, name)
            case cst.Subscript(owner):
                return self._subscript(owner, node)
            case cst.Call(cst.Attribute(owner, cst.Name("get")), [cst.Arg(key), *_]) if string(key):
                return self._part(owner, str(string(key)))
            case _:
                pass
        return None

    def _part(self, owner: cst.BaseExpression, name: str) -> fields.Shape | None:
        shape = self.shape(owner)
        if shape is None or shape.listed:
            return None
        if shape.inside == name:
            return fields.Shape(shape.kind)
        found = fields.find(shape, name)
        return None if found is None else found.shape

    def _subscript(self, owner: cst.BaseExpression, node: cst.Subscript) -> fields.Shape | None:
        if (key := _key(node)) is not None:
            return self._part(owner, key)
        shape = self.shape(owner)
        return shape.element if shape and not _is_slice(node) else shape

    def _answer(self, made: cst.Call) -> fields.Shape | None:
        match made.func:
            case cst.Attribute(cst.Name(owner), cst.Name("reply")) if owner == self.context:
                return fields.model("MessageSendResult")
            case cst.Attribute(owner, cst.Name(name)) if self.is_api(owner) or self._is_other_api(owner, name):
                if name in SENDS:
                    return self._sent(SENDS[name], made)
                if name in CALLS:
                    row = CALLS[name]
                    found = fields.answer(row.target)
                    return found and fields.Shape(found.kind, found.listed, found.optional, row.inside)
            case _:
                pass
        return None

    def _sent(self, row: SendRow, made: cst.Call) -> fields.Shape | None:
        found = arguments(made, (row.place, *row.parameters))
        answers = found is not None and self.answers(found, row)
        return fields.model("MessageSendResult") if answers else fields.answer(row.target)

    # Names and attributes

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        """Remember that the last part is no variable, and skip what is replaced as a whole."""
        self.untouched.add(id(node.attr))
        if self.program.qualified(node):
            return False
        return not (isinstance(node.value, cst.Name) and node.value.value in {self.context, *self.selves} - {""})

    def visit_Call(self, node: cst.Call) -> bool:
        """Skip a call that is made again as a whole."""
        func = node.func
        if full := self.program.qualified(func):
            return not _is_made_again(full)
        return not (isinstance(func, cst.Attribute) and self._is_platform_call(func))

    def visit_Decorator(self, node: cst.Decorator) -> bool:
        """Skip botpy's commands: `assembly` asks for their words."""
        return not (isinstance(node.decorator, cst.Call) and self.program.qualified(node.decorator.func) == COMMANDS)

    def _is_platform_call(self, func: cst.Attribute) -> bool:
        answers = func.attr.value == "reply" and self.context != "" and dotted(func.value) == self.context
        return answers or self.is_api(func.value) or self._is_other_api(func.value, func.attr.value)

    def _is_other_api(self, node: cst.BaseExpression, method: str) -> bool:
        """True for the `api` of a client that another object has, by what is called."""
        known = method in CALLS or method in SENDS or method in UPLOADS
        return known and isinstance(node, cst.Attribute) and node.attr.value in ("api", "_api")

    def visit_Arg(self, node: cst.Arg) -> None:
        """Remember that a keyword is no variable."""
        self.untouched.add(id(node.keyword))

    def visit_Param(self, node: cst.Param) -> None:
        """Remember that a parameter is bound here."""
        self.untouched.add(id(node.name))

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        """Replace the event, the client, and names of botpy."""
        if id(original_node) in self.untouched:
            return updated_node
        name = original_node.value
        if name == self.context:
            return cst.parse_expression("ctx.event")
        if name in self.selves:
            if self.method and name not in self.program.instances:
                self.remark("self was the client; bot is passed on. 原 self 是客户端，现传 bot")
            return cst.Name("bot")
        if self.program.client is not None and name == self.program.client.name.value:
            return cst.Name(self.need("Bot"))
        if full := self.program.qualified(original_node):
            return self._renamed(full, updated_node)
        return updated_node

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        """Replace fields of the event and of answers, what belonged to the client, and names of botpy."""
        owner, name = original_node.value, original_node.attr.value
        if full := self.program.qualified(original_node):
            return self._renamed(full, updated_node)
        if isinstance(owner, cst.Name):
            if owner.value == self.context:
                return self._of_event(name, updated_node)
            if owner.value in self.selves:
                return self._of_client(name)
        shape = self.shape(owner)
        return (
            updated_node
            if shape is None or shape.listed
            else self._field(shape, name, updated_node.value, updated_node)
        )

    def _of_event(self, name: str, updated: cst.Attribute) -> cst.BaseExpression:
        if name in ("_api", "api"):
            return cst.parse_expression("ctx.api")
        if name == "event_id":
            return cst.parse_expression("ctx.event_id")
        return self._field(fields.event(self.events[0]), name, cst.parse_expression("ctx.event"), updated)

    def _field(
        self, shape: fields.Shape, name: str, value: cst.BaseExpression, updated: cst.BaseExpression
    ) -> cst.BaseExpression:
        found = fields.find(shape, name)
        if found is None:
            if not hasattr(shape.kind, name) and name != "get":
                self.remark(f"{shape.kind.__name__} has no field {name!r}. {shape.kind.__name__} 没有此字段")
            return updated
        if shape.optional:
            return expression(f"({{value}} and {{value}}.{found.name})", value=value)
        return cst.Attribute(value, cst.Name(found.name))

    def _of_client(self, name: str) -> cst.BaseExpression:  # noqa: PLR0911 - one row for each attribute
        owner = "ctx.bot" if self.context else "bot"
        match name:
            case "api":
                return cst.parse_expression("ctx.api" if self.context else "bot.api")
            case "robot":
                return cst.parse_expression(f"{owner}.me")
            case "loop":
                self.needs.modules.add("asyncio")
                return cst.parse_expression("asyncio.get_running_loop()")
            case "close":
                return cst.parse_expression(f"{owner}.stop")
            case "run":
                return cst.parse_expression("bot.run")
            case "start":
                self.remark(HINTS["start"])
                return cst.parse_expression("bot.start")
            case "http" | "intents" | "is_closed" | "bot_connect" | "ws_dispatch" | "ret_coro":
                hint = HINTS.get(name, "see docs/from-botpy.md. 见 docs/from-botpy.md")
                self.remark(f"botpy's client.{name} has no counterpart: {hint}")
                return cst.parse_expression(f"{owner}.{name}")
            case _:
                pass
        if name in self.program.methods:
            return call(name) if self.program.is_property(name) else cst.Name(name)
        self.needs.add("SimpleNamespace", "types")
        return cst.parse_expression(f"state.{name}")

    def _renamed(self, full: str, updated: cst.BaseExpression) -> cst.BaseExpression:
        if full in MODELS:
            return cst.Name(self.need(MODELS[full], "qqbot.models"))
        if full in ERRORS:
            return cst.Name(self.need(ERRORS[full]))
        if full in PAYLOADS:
            return expression(" | ".join(self.need(each) for each in PAYLOADS[full]))
        if full in API_CLASSES:
            return cst.Name(self.need("Api"))
        return self._other(full, updated)

    def _other(self, full: str, updated: cst.BaseExpression) -> cst.BaseExpression:
        base, _, member = full.rpartition(".")
        if base in MODELS and member in MEMBERS.get(MODELS[base], {}):
            name = self.need(MODELS[base], "qqbot.models")
            return cst.parse_expression(f"{name}.{MEMBERS[MODELS[base]][member]}")
        if base in MODELS and member == "value":
            return updated
        if full.startswith(_DICTS):
            return cst.Name("dict")
        if full == LOGGER:
            self.needs.modules.add("logging")
            return cst.parse_expression('logging.getLogger("qqbot")')
        if base == "botpy.logging" and member.isupper():
            self.needs.modules.add("logging")
            return cst.parse_expression(f"logging.{member}")
        self.needs.left.add(full_head(updated))
        hints = (hint for start, hint in HINTS.items() if f"{full}.".startswith(f"{start}."))
        self.remark(f"{full} has no counterpart: {next(hints, 'see docs/from-botpy.md. 没有对应，需手动改写')}")
        return updated

    # Calls

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        """Replace calls of the event, of the API and of botpy's functions."""
        func = original_node.func
        if full := self.program.qualified(func):
            return self._botpy_call(full, original_node, updated_node)
        if isinstance(func, cst.Attribute):
            done = self._method_call(func, original_node, updated_node)
            if done is not None:
                return done
        return self._with_contexts(original_node, updated_node)

    def _method_call(self, func: cst.Attribute, original: cst.Call, updated: cst.Call) -> cst.BaseExpression | None:
        owner, name = func.value, func.attr.value
        if self._is_platform_call(func):
            return self._platform_call(func, original)
        if name == "get" and original.args and string(original.args[0].value):
            shape = self.shape(owner)
            if shape is not None and not shape.listed:
                assert isinstance(updated.func, cst.Attribute)
                return self._field(shape, str(string(original.args[0].value)), updated.func.value, updated)
        if name == "create_task" and isinstance(owner, cst.Attribute) and self._is_loop(owner):
            self.needs.modules.add("asyncio")
            return updated.with_changes(func=cst.parse_expression("asyncio.create_task"))
        return None

    def _platform_call(self, func: cst.Attribute, original: cst.Call) -> cst.BaseExpression:
        self.needs.calls.add(id(original))
        name = func.attr.value
        if name == "reply":
            done = calls.reply("ctx", original, self)
        elif name == "patch_guild_message":
            done = calls.modified(original, self)
        else:
            done = calls.rewritten(name, original, self)
        if done is not None:
            return done
        self.needs.calls.discard(id(original))
        owner = cst.Name("ctx") if name == "reply" else cst.parse_expression(self.api_text(func.value))
        given = [each.with_changes(value=self.rewrite(each.value)) for each in original.args]
        return cst.Call(cst.Attribute(owner, cst.Name(name)), given)

    def _is_loop(self, node: cst.Attribute) -> bool:
        return node.attr.value == "loop" and isinstance(node.value, cst.Name) and node.value.value in self.selves

    def _botpy_call(self, full: str, original: cst.Call, updated: cst.Call) -> cst.BaseExpression:
        if full in LOGGERS:
            self.needs.modules.add("logging")
            name = original.args[0].value if original.args else cst.Name("__name__")
            return call("logging.getLogger", name)
        if full in READ_YAML:
            return self._read_yaml(original)
        if full in PERMISSION:
            return calls.permissions(original, self, PERMISSIONS) or self._left(full, original)
        if full in MODELS:
            return calls.constructed(MODELS[full], original, self)
        if full.startswith(_DICTS) and (found := entries(original)) is not None:
            return dictionary({name: self.rewrite(value) for name, value in found.items()})
        return updated

    def _left(self, full: str, updated: cst.Call) -> cst.Call:
        self.needs.left.add(full_head(updated.func))
        self.remark(f"{full}: write Permissions.VIEW and its kin. 请改用 Permissions 的成员")
        return updated

    def _read_yaml(self, made: cst.Call) -> cst.BaseExpression:
        self.needs.modules.add("yaml")
        self.remark("yaml comes from PyYAML: pip install pyyaml. 需要安装 PyYAML")
        path = self.need("Path", "pathlib")
        return expression(f'yaml.safe_load({path}({{path}}).read_text("utf-8"))', path=self.rewrite(made.args[0].value))

    def _with_contexts(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """Pass the context, not the event, to a function that takes one."""
        if not self.context or not self._takes_context(original.func):
            return updated
        done: list[cst.Arg] = []
        for before, after in zip(original.args, updated.args, strict=True):
            if dotted(before.value) == self.context and not before.star:
                keyword = cst.Name("ctx") if before.keyword else None
                done.append(after.with_changes(value=cst.Name("ctx"), keyword=keyword))
            else:
                done.append(after)
        return updated.with_changes(args=done)

    def _takes_context(self, func: cst.BaseExpression) -> bool:
        if callee := self.program.callee(func):
            return bool(self.program.contexts[callee])
        if isinstance(func, cst.Attribute):
            return isinstance(func.value, cst.Name) and func.value.value in self.selves - {""}
        return isinstance(func, cst.Name) and func.value not in _PLAIN

    # Subscripts and statements

    def leave_Subscript(self, original_node: cst.Subscript, updated_node: cst.Subscript) -> cst.BaseExpression:
        """Replace keys of an answer by its attributes."""
        key, shape = _key(original_node), self.shape(original_node.value)
        if key is None or shape is None or shape.listed:
            return updated_node
        if shape.inside == key:
            return updated_node.value
        return self._field(shape, key, updated_node.value, updated_node)

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement:
        """Write the remarks above the statement."""
        remarks, self.remarks = self.remarks, []
        return marked(updated_node, remarks)

    def uses(self) -> Counter[str]:
        """Count for each variable the uses that were replaced by its value."""
        return Counter(name for name, _ in self.followed)

    def dropped(self, function: cst.FunctionDef) -> set[str]:
        """Return the variables that are in no use any more, since each use now has the value itself."""
        counted = names(function.body)
        return {name for name, seen in self.uses().items() if counted[name] == seen + 1}


def _is_made_again(full: str) -> bool:
    """True for a function or class of botpy whose arguments `leave_Call` rewrites itself."""
    known = full in MODELS or full in PERMISSION or full in LOGGERS or full in READ_YAML
    return known or full.startswith(_DICTS)


def full_head(node: cst.BaseExpression) -> str:
    """Return the first part of a dotted name."""
    return (dotted(node) or "").partition(".")[0]


_DICTS = ("botpy.types.message.", "botpy.types.inline.")
"""Modules whose classes are dicts while the bot runs."""
_PLAIN = {"print", "str", "repr", "isinstance", "type", "getattr", "hasattr", "dir", "vars", "id", "len", "format"}


def _key(node: cst.Subscript) -> str | None:
    match node.slice:
        case [cst.SubscriptElement(cst.Index(value))]:
            return string(value)
        case _:
            pass
    return None


def _is_slice(node: cst.Subscript) -> bool:
    return any(isinstance(each.slice, cst.Slice) for each in node.slice)


def _changed(function: cst.FunctionDef) -> set[str]:
    """Return the variables that are changed in place."""
    found = set[str]()
    for node in walk(function):
        match node:
            case cst.AssignTarget(cst.Subscript(cst.Name(name)) | cst.Attribute(cst.Name(name))):
                found.add(name)
            case cst.Call(cst.Attribute(cst.Name(name), cst.Name(method))) if method in MUTATING:
                found.add(name)
            case _:
                pass
    return found
