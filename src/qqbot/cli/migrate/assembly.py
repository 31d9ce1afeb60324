"""A file of a botpy bot, rewritten: the client's class becomes handlers of a `Bot`.

Responsible for the order of the new file, its imports, and the heads of its functions. Collaborators: `program` (what
the file consists of), `startup` (credentials and `run`), `rewriting` (what stands inside a function).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from . import program as programs
from .program import Program, is_command, is_static, parameters
from .rewriting import Needs, Rewriter
from .startup import Startup, bot_statement, take
from .syntax import MARK, below, body_of, code, dotted, lines_above, marked, names, statement, walk
from .tables import COMMANDS, EVENTS

BLANK = cst.EmptyLine(indent=False)
STATE = "state = SimpleNamespace()"


@dataclass(frozen=True)
class Migration:
    """A rewritten file. `remarks`: what is left to do, with the line of the new file."""

    code: str
    handlers: int = 0
    calls: int = 0
    remarks: tuple[tuple[int, str], ...] = ()
    changed: bool = True


def migrate(source: str) -> Migration:
    """Rewrite the source of a botpy bot.  Raises: libcst.ParserSyntaxError if it is no Python."""
    program = programs.read(source)
    if not program.uses_botpy:
        return Migration(source, changed=False)
    module, startup = take(program)
    instances, intents = program.instances, program.intents
    program = programs.read(module.code)
    program.instances, program.intents = instances, intents
    done = _Assembly(program, startup)
    text = done.module().code
    lines = text.splitlines()
    remarks = tuple(
        (number, line.strip().removeprefix(MARK))
        for number, line in enumerate(lines, 1)
        if line.strip().startswith(MARK)
    )
    handlers = sum(1 for name in program.methods if name in EVENTS)
    return Migration(text, handlers, len(done.needs.calls), remarks)


class _Assembly:
    def __init__(self, program: Program, startup: Startup) -> None:
        self.program = program
        self.startup = startup
        self.needs = Needs(_modules(program.module))
        self.dropped: Counter[str] = Counter()

    def module(self) -> cst.Module:
        body: list[cst.BaseStatement] = []
        first = None
        for each in self.program.module.body:
            if _is_import(each):
                kept = self._import(each)
                first = len(body) if first is None and kept is not each else first
                body += [kept] if kept else []
            elif isinstance(each, cst.ClassDef) and each is self.program.client:
                body += self._client(each)
            elif isinstance(each, cst.FunctionDef):
                body += self._function(each)
            elif isinstance(each, cst.ClassDef):
                body.append(self._helper(each))
            else:
                body.append(self._rewritten(each))
        body = self._without_inlined(body)
        body = self._used(body)
        place = first if first is not None else _after_head(body)
        place = min(place, len(body))
        imports = self._imports(body)
        body = [*body[:place], *imports, *body[place:]]
        return self.program.module.with_changes(body=body)

    # Statements

    def _rewritten(self, node: cst.BaseStatement) -> cst.BaseStatement:
        rewriter = Rewriter(self.program, self.needs, None)
        done = node.visit(rewriter)
        self._count(rewriter)
        assert isinstance(done, cst.BaseStatement)
        return done

    def _count(self, rewriter: Rewriter) -> None:
        self.dropped.update({name: seen for name, seen in rewriter.uses().items() if name not in rewriter.local.counts})

    def _without_inlined(self, body: list[cst.BaseStatement]) -> list[cst.BaseStatement]:
        """Drop the constants whose value stands where they were used."""
        counted = names(self.program.module)
        gone = {name for name, seen in self.dropped.items() if counted[name] == seen + 1}
        return [each for each in body if not _assigns(each, gone)]

    def _function(self, function: cst.FunctionDef) -> list[cst.BaseStatement]:
        rewriter = Rewriter(self.program, self.needs, function)
        done = function.visit(rewriter)
        self._count(rewriter)
        assert isinstance(done, cst.FunctionDef)
        done = _without(done, rewriter.dropped(function))
        name = function.name.value
        events = rewriter.events
        method = rewriter.method
        handles = EVENTS.get(name) if method else None
        if handles and not events:
            events = [handles]
        done = done.with_changes(
            params=self._parameters(function, done.params, rewriter, events, handles is not None),
            decorators=self._decorators(function, done, handles),
        )
        if is_command(function, self.program):
            done = self._as_command(function, done)
        if method:
            done = _spaced(done)
        return [marked(done, rewriter.remarks)]

    def _helper(self, node: cst.ClassDef) -> cst.BaseStatement:
        """Return another class of the file, with its methods rewritten."""
        whole = self._rewritten(node.with_changes(body=cst.IndentedBlock([])))
        assert isinstance(whole, cst.ClassDef)
        body: list[cst.BaseStatement] = []
        for each in body_of(node.body):
            body += self._function(each) if isinstance(each, cst.FunctionDef) else [self._rewritten(each)]
        return whole.with_changes(body=cst.IndentedBlock(body))

    def _parameters(
        self,
        function: cst.FunctionDef,
        rewritten: cst.Parameters,
        rewriter: Rewriter,
        events: Sequence[str],
        handler: bool,
    ) -> cst.Parameters:
        given = list(rewritten.params)
        if rewriter.method and given and not is_static(function):
            given = given[1:]
        done = [new for each in given if (new := self._parameter(function, each, rewriter, events))]
        if handler and not rewriter.context:
            done.insert(0, self._context(cst.Param(cst.Name("ctx")), events))
        if done:
            done[-1] = done[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        named = [new for each in rewritten.kwonly_params if (new := self._parameter(function, each, rewriter, events))]
        star = rewritten.star_arg if named or isinstance(rewritten.star_arg, cst.Param) else cst.MaybeSentinel.DEFAULT
        return rewritten.with_changes(params=done, kwonly_params=named, star_arg=star)

    def _parameter(
        self, function: cst.FunctionDef, each: cst.Param, rewriter: Rewriter, events: Sequence[str]
    ) -> cst.Param | None:
        """Return a parameter as it is here; None for the words of a command, which the function looks for itself."""
        name = each.name.value
        if name == rewriter.context and name:
            return self._context(each, events)
        if name == "params" and is_command(function, self.program):
            return None
        if name in rewriter.apis:
            return each.with_changes(annotation=cst.Annotation(cst.Name(self.needs.add("Api"))))
        return each

    def _context(self, parameter: cst.Param, events: Sequence[str]) -> cst.Param:
        kinds = " | ".join(self.needs.add(each) for each in events)
        annotation = cst.parse_expression(f"{self.needs.add('Context')}[{kinds}]")
        return parameter.with_changes(name=cst.Name("ctx"), annotation=cst.Annotation(annotation))

    def _decorators(self, original: cst.FunctionDef, done: cst.FunctionDef, handles: str | None) -> list[cst.Decorator]:
        dropped = {"staticmethod", "property"} if self._is_method(original) else set[str]()
        kept = [
            after
            for before, after in zip(original.decorators, done.decorators, strict=True)
            if not _named(before, dropped) and self._command_call(before) is None
        ]
        if handles is None:
            return kept
        event = self.needs.add(handles)
        if handles == "GroupMessageEvent":
            made = f"bot.on({event}, when={self.needs.add('meant_for_me')})"
        else:
            made = f"bot.on({event})"
        return [*kept, cst.Decorator(cst.parse_expression(made))]

    def _is_method(self, function: cst.FunctionDef) -> bool:
        return self.program.methods.get(function.name.value) is function

    def _command_call(self, decorator: cst.Decorator) -> cst.Call | None:
        node = decorator.decorator
        return node if isinstance(node, cst.Call) and self.program.qualified(node.func) == COMMANDS else None

    def _as_command(self, original: cst.FunctionDef, done: cst.FunctionDef) -> cst.FunctionDef:
        """Ask for the words of `@Commands(...)` at the start of the function, as botpy's decorator did."""
        found = [made for each in original.decorators if (made := self._command_call(each))]
        words = ", ".join(each.star + code(each.value) for each in found[0].args)
        words += "," if len(found[0].args) == 1 else ""
        asked = [
            statement(
                f"for command in ({words}):\n"
                "    if command in ctx.event.content:\n"
                "        params = ctx.event.content.split(command)[1].strip()\n"
                "        break\n"
                "else:\n"
                "    return False\n"
            )
        ]
        body = body_of(done.body)
        head = 1 if body and _is_docstring(body[0]) else 0
        return done.with_changes(body=cst.IndentedBlock([*body[:head], *asked, *body[head:]]))

    # The client's class

    def _client(self, client: cst.ClassDef) -> list[cst.BaseStatement]:
        functions: list[cst.BaseStatement] = []
        settings: list[cst.BaseStatement] = []
        comments: list[cst.EmptyLine] = []
        for each in body_of(client.body):
            if isinstance(each, cst.FunctionDef):
                if each.name.value == "__init__":
                    settings += self._init(each)
                elif each.name.value == "on_error":
                    comments += _left(each, "write a handler with @bot.on_error. 请改用 @bot.on_error")
                else:
                    functions += self._function(each)
            elif _is_docstring(each):
                comments += _as_comments(each)
            else:
                settings.append(self._class_attribute(each))
        others = [code(each.value) for each in client.bases if not self.program.qualified(each.value)]
        if others:
            named = ", ".join(others)
            self.startup.remarks.append(f"methods of {named} are no handlers of the bot: move them here. 请移到此处")
        bot, needed = bot_statement(self.startup)
        for name in needed:
            self.needs.add(name)
        bot = below([*client.leading_lines, *comments, *lines_above(bot)], bot)
        state = [statement(STATE)] if "SimpleNamespace" in self.needs.names["types"] else []
        head = [*self.startup.hoisted, bot, *state]
        later = any(name in self.program.methods for each in settings for name in names(each))
        return [*head, *functions, *settings] if later else [*head, *settings, *functions]

    def _class_attribute(self, node: cst.BaseStatement) -> cst.BaseStatement:
        done = self._rewritten(node)
        self.needs.add("SimpleNamespace", "types")
        match done:
            case cst.SimpleStatementLine(
                [cst.Assign([cst.AssignTarget(cst.Name(name))], value)]
            ) | cst.SimpleStatementLine([cst.AnnAssign(cst.Name(name), _, cst.BaseExpression() as value)]):
                return statement(f"state.{name} = {code(value)}")
            case _:
                pass
        return done

    def _init(self, function: cst.FunctionDef) -> list[cst.BaseStatement]:
        rewriter = Rewriter(self.program, self.needs, function)
        kept = [each for each in body_of(function.body) if not _calls_super(each) and not _is_docstring(each)]
        visited = [each.visit(rewriter) for each in kept]
        self._count(rewriter)
        done = [each for each in visited if isinstance(each, cst.BaseStatement)]
        given = [*self._arguments(function, done), *done]
        if any(
            isinstance(node, cst.Attribute) and node.attr.value == "create_task" for each in kept for node in walk(each)
        ):
            remark = "no loop runs yet: start tasks with bot.spawn(...) in a handler of Ready. 此时没有事件循环"
            given = [marked(given[0], [remark]), *given[1:]]
        return given

    def _arguments(self, function: cst.FunctionDef, body: Sequence[cst.CSTNode]) -> list[cst.BaseStatement]:
        """Give the parameters of `__init__` that are in use the values with which the client was made."""
        used = {name for each in body for name in names(each)}
        done: list[cst.BaseStatement] = []
        for each in parameters(function)[1:]:
            name = each.name.value
            value = self.startup.options.get(name) or each.default
            if name in used:
                line = statement(f"{name} = {code(value) if value else None}")
                missing = [] if value else [f"give {name} its value. 请给 {name} 赋值"]
                done.append(marked(line, missing))
        return done

    # Imports

    def _import(self, node: cst.BaseStatement) -> cst.BaseStatement | None:
        """Return an import without botpy's; None if nothing is left of it."""
        assert isinstance(node, cst.SimpleStatementLine)
        small = node.body[0]
        if isinstance(small, cst.ImportFrom):
            module = dotted(small.module) or ""
            return None if module.partition(".")[0] == "botpy" and not small.relative else node
        assert isinstance(small, cst.Import)
        kept = [each for each in small.names if (dotted(each.name) or "").partition(".")[0] != "botpy"]
        if len(kept) == len(small.names):
            return node
        if not kept:
            return None
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return node.with_changes(body=[small.with_changes(names=kept)])

    def _used(self, body: list[cst.BaseStatement]) -> list[cst.BaseStatement]:
        """Drop the imports that nothing uses any more."""
        before = names(self.program.module)
        after = {name for each in body if not _is_import(each) for name in names(each)}
        done: list[cst.BaseStatement] = []
        for each in body:
            bound = _bound(each) if _is_import(each) else set[str]()
            if not bound or bound & after or all(before[name] <= 1 for name in bound) or "*" in bound:
                done.append(each)
        return done

    def _imports(self, body: Sequence[cst.BaseStatement]) -> list[cst.BaseStatement]:
        used = {name for each in body for name in names(each)}
        modules = sorted(self.needs.modules - self.needs.imported)
        lines = [f"import {each}" for each in modules if each != "yaml"]
        third = [f"import {each}" for each in modules if each == "yaml"]
        for module in sorted(self.needs.names):
            wanted = sorted((self.needs.names[module] & used), key=_import_order)
            if wanted:
                (third if module.startswith("qqbot") else lines).append(f"from {module} import {', '.join(wanted)}")
        kept = sorted(_import_of(name, full) for name, full in self.program.imports.items() if name in self.needs.left)
        done = [statement(each) for each in [*lines, *third, *kept]]
        if lines and third:
            done[len(lines)] = below([BLANK], done[len(lines)])
        return [_wrapped(each) for each in done]


def _import_of(name: str, full: str) -> str:
    module, _, last = full.rpartition(".")
    if not module:
        return f"import {full}" if name == full else f"import {full} as {name}"
    return f"from {module} import {last}" if name == last else f"from {module} import {last} as {name}"


def _import_order(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def _wrapped(node: cst.BaseStatement) -> cst.BaseStatement:
    """Write a long import in several lines."""
    text = code(node)
    head, found, tail = text.partition(" import ")
    if len(text) <= 100 or not found:
        return node
    inner = "".join(f"    {each},\n" for each in tail.split(", "))
    return below(lines_above(node), statement(f"{head} import (\n{inner})"))


def _modules(module: cst.Module) -> set[str]:
    found = set[str]()
    for each in module.body:
        match each:
            case cst.SimpleStatementLine([cst.Import(given)]):
                found |= {dotted(alias.name) or "" for alias in given if alias.asname is None}
            case _:
                pass
    return found


def _is_import(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.SimpleStatementLine) and isinstance(node.body[0], cst.Import | cst.ImportFrom)


def _bound(node: cst.BaseStatement) -> set[str]:
    assert isinstance(node, cst.SimpleStatementLine)
    small = node.body[0]
    assert isinstance(small, cst.Import | cst.ImportFrom)
    if isinstance(small.names, cst.ImportStar):
        return {"*"}
    aliases = [dotted(each.asname.name if each.asname else each.name) or "" for each in small.names]
    return {each.partition(".")[0] for each in aliases}


def _after_head(body: Sequence[cst.BaseStatement]) -> int:
    """Return the place after the docstring and the imports from `__future__`."""
    place = 0
    for number, each in enumerate(body):
        if _is_docstring(each) or (_is_import(each) and "__future__" in code(each)):
            place = number + 1
    return place


def _is_docstring(node: cst.CSTNode) -> bool:
    match node:
        case cst.SimpleStatementLine([cst.Expr(cst.SimpleString() | cst.ConcatenatedString())]):
            return True
        case _:
            pass
    return False


def _as_comments(node: cst.BaseStatement) -> list[cst.EmptyLine]:
    assert isinstance(node, cst.SimpleStatementLine)
    assert isinstance(node.body[0], cst.Expr)
    value = node.body[0].value
    assert isinstance(value, cst.SimpleString | cst.ConcatenatedString)
    lines = str(value.evaluated_value).strip().splitlines()
    return [cst.EmptyLine(comment=cst.Comment(f"# {each.strip()}".rstrip())) for each in lines]


def _left(function: cst.FunctionDef, remark: str) -> list[cst.EmptyLine]:
    """Return a method as comments."""
    lines = [MARK + remark, *(f"# {each}".rstrip() for each in code(function).splitlines())]
    return [cst.EmptyLine(comment=cst.Comment(each)) for each in lines]


def _calls_super(node: cst.CSTNode) -> bool:
    return code(node).startswith(("super(", "botpy.Client.__init__"))


def _named(decorator: cst.Decorator, wanted: set[str]) -> bool:
    return dotted(decorator.decorator) in wanted


def _assigns(node: cst.CSTNode, gone: set[str]) -> bool:
    match node:
        case cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(cst.Name(name))])]) | cst.SimpleStatementLine(
            [cst.AnnAssign(cst.Name(name))]
        ):
            return name in gone
        case _:
            pass
    return False


class _Remover(cst.CSTTransformer):
    def __init__(self, gone: set[str]) -> None:
        super().__init__()
        self.gone = gone

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.RemovalSentinel:
        calls_super = _calls_super(updated_node) or code(updated_node).startswith("await super()")
        return cst.RemoveFromParent() if _assigns(updated_node, self.gone) or calls_super else updated_node


def _without(function: cst.FunctionDef, gone: set[str]) -> cst.FunctionDef:
    done = function.visit(_Remover(gone))
    assert isinstance(done, cst.FunctionDef)
    return done


def _spaced(function: cst.FunctionDef) -> cst.FunctionDef:
    """Put two blank lines above a method that is a function now."""
    comments = [each for each in function.leading_lines if each.comment]
    return function.with_changes(leading_lines=[BLANK, BLANK, *comments])
