"""What a file of a botpy bot consists of: imports, the client's class, its methods, and which functions get an event.

Responsible for the questions about the whole file that are asked before anything is rewritten. Collaborators:
`rewriting` rewrites one function with the answers. It changes nothing.
"""

from dataclasses import dataclass, field

import libcst as cst

from .syntax import Bindings, arguments, bindings, body_of, dotted, walk
from .tables import API, CLIENT, COMMANDS, EVENTS, INTENTS, PAYLOADS

Function = cst.FunctionDef


@dataclass
class Program:
    """One file. `helpers`: methods of other classes.

    `contexts`: for each function the parameters that are an event, with the events that it may be.
    """

    module: cst.Module
    imports: dict[str, str] = field(default_factory=dict[str, str])
    client: cst.ClassDef | None = None
    methods: dict[str, Function] = field(default_factory=dict[str, Function])
    functions: dict[str, Function] = field(default_factory=dict[str, Function])
    helpers: dict[str, Function] = field(default_factory=dict[str, Function])
    contexts: dict[str, dict[str, list[str]]] = field(default_factory=dict[str, dict[str, list[str]]])
    instances: set[str] = field(default_factory=set[str])
    intents: set[str] = field(default_factory=set[str])
    top: Bindings = field(default_factory=Bindings)

    def qualified(self, node: cst.CSTNode | None) -> str:
        """Return botpy's full name of an expression; '' for anything else."""
        head, dot, rest = (dotted(node) or "").partition(".")
        base = self.imports.get(head)
        return "" if base is None else base + dot + rest

    @property
    def uses_botpy(self) -> bool:
        """True if the file imports botpy."""
        return bool(self.imports)

    def function(self, name: str) -> Function | None:
        """Return a method of the client, or a function of the file."""
        return self.methods.get(name) or self.functions.get(name) or self.helpers.get(name)

    def every_function(self) -> dict[str, Function]:
        """Return all functions and methods; a name that stands twice is the client's first, then the file's."""
        return {**self.helpers, **self.functions, **self.methods}

    def is_property(self, name: str) -> bool:
        """True for a property of the client."""
        method = self.methods.get(name)
        return method is not None and any(dotted(each.decorator) == "property" for each in method.decorators)

    def handled(self) -> list[str]:
        """Return the events that the client has a method for."""
        return [EVENTS[name] for name in self.methods if name in EVENTS]

    def callee(self, node: cst.BaseExpression) -> str | None:
        """Return the name of the function of this file that a call of `node` calls."""
        match node:
            case cst.Name(name) if name in self.functions:
                return name
            case cst.Attribute(cst.Name(owner), cst.Name(name)) if name in self.methods:
                if owner in ("self", *self.instances):
                    return name
                return name if name in self.helpers else None
            case cst.Attribute(_, cst.Name(name)) if name in self.helpers:
                return name
            case _:
                pass
        return None

    def is_client(self, node: cst.BaseExpression) -> bool:
        """True for a call of the client's class."""
        return isinstance(node, cst.Call) and self.client is not None and dotted(node.func) == self.client.name.value


def read(source: str) -> Program:
    """Return what `source` consists of.  Raises: cst.ParserSyntaxError."""
    program = Program(cst.parse_module(source))
    for node in walk(program.module):
        if isinstance(node, cst.Import | cst.ImportFrom):
            _import(node, program)
    _definitions(program)
    program.top = _top_bindings(program.module)
    for name, value in _assigned(program.module):
        if program.is_client(value):
            program.instances.add(name)
        if isinstance(value, cst.Call) and _is_intents(program.qualified(value.func)):
            program.intents.add(name)
    _contexts(program)
    return program


def _import(node: cst.Import | cst.ImportFrom, program: Program) -> None:
    prefix = ""
    if isinstance(node, cst.ImportFrom):
        prefix = (dotted(node.module) or "") + "."
    if isinstance(node.names, cst.ImportStar):
        return
    for each in node.names:
        full = prefix + (dotted(each.name) or "")
        if full.partition(".")[0] != "botpy" or (isinstance(node, cst.ImportFrom) and node.relative):
            continue
        alias = dotted(each.asname.name) if each.asname else None
        if alias is None and not prefix:  # `import botpy.message` binds botpy
            program.imports["botpy"] = "botpy"
        else:
            program.imports[alias or dotted(each.name) or ""] = full


def _definitions(program: Program) -> None:
    for node in program.module.body:
        match node:
            case cst.FunctionDef(cst.Name(name)):
                program.functions[name] = node
            case cst.ClassDef() if program.client is None and any(
                program.qualified(base.value) in CLIENT for base in node.bases
            ):
                program.client = node
                for each in body_of(node.body):
                    if isinstance(each, cst.FunctionDef):
                        program.methods[each.name.value] = each
            case cst.ClassDef():
                methods = [each for each in body_of(node.body) if isinstance(each, cst.FunctionDef)]
                program.helpers.update({each.name.value: each for each in methods})
            case _:
                pass


def _top_bindings(module: cst.Module) -> Bindings:
    lines = [each for each in module.body if isinstance(each, cst.SimpleStatementLine)]
    found = bindings(module.with_changes(body=lines))
    # A name that another block binds too has no single value here, even if that is another scope.
    for name, count in bindings(module).counts.items():
        if count > 1:
            found.counts[name] = count
    return found


def _assigned(module: cst.Module) -> list[tuple[str, cst.BaseExpression]]:
    found = bindings(module)
    return [(name, value) for name, values in found.values.items() for value in values]


def _is_intents(name: str) -> bool:
    return name in INTENTS or name.rpartition(".")[0] in INTENTS


def parameters(function: Function) -> list[cst.Param]:
    """Return the parameters that an argument may fill."""
    return [*function.params.posonly_params, *function.params.params, *function.params.kwonly_params]


def is_static(function: Function) -> bool:
    """True for a static method."""
    return any(dotted(each.decorator) == "staticmethod" for each in function.decorators)


def is_command(function: Function, program: Program) -> bool:
    """True if it has botpy's decorator of commands."""
    return any(
        program.qualified(each.decorator.func) == COMMANDS
        for each in function.decorators
        if isinstance(each.decorator, cst.Call)
    )


def _contexts(program: Program) -> None:
    for name, function in program.every_function().items():
        program.contexts[name] = {}
        given = parameters(function)
        if name in EVENTS and name in program.methods:
            for each in given[1:2]:
                program.contexts[name][each.name.value] = [EVENTS[name]]
    while _pass_on(program):
        pass
    for name, function in program.every_function().items():
        for each in parameters(function):
            found = _annotated(each, function, program)
            if found and not program.contexts[name]:
                program.contexts[name][each.name.value] = found
    while _pass_on(program):
        pass


def _annotated(parameter: cst.Param, function: Function, program: Program) -> list[str]:
    annotation = parameter.annotation.annotation if parameter.annotation else None
    full = program.qualified(annotation)
    if not full and is_command(function, program) and parameter.name.value == "message":
        return [each for each in program.handled() if "Message" in each and each.endswith(("Create", "Event"))] or [
            "AtMessageCreate"
        ]
    if full not in PAYLOADS:
        return []
    default = [*PAYLOADS[full], *(["MessageCreate"] if full.endswith("message.Message") else [])]
    return [each for each in default if each in program.handled()] or list(PAYLOADS[full])


def _pass_on(program: Program) -> bool:
    """Let the functions that are called with an event know its class; True if there was anything new."""
    changed = False
    for caller, given in list(program.contexts.items()):
        function = program.function(caller)
        if not given or function is None:
            continue
        for node in walk(function.body):
            if isinstance(node, cst.Call) and (callee := program.callee(node.func)):
                changed |= _receive(node, callee, given, program)
    return changed


def _receive(node: cst.Call, callee: str, given: dict[str, list[str]], program: Program) -> bool:
    function = program.function(callee)
    assert function is not None
    wanted = [each.name.value for each in parameters(function)]
    if isinstance(node.func, cst.Attribute) and callee not in program.functions:
        wanted = wanted[1:]
    changed = False
    for parameter, value in (arguments(node, wanted) or {}).items():
        events = given.get(dotted(value) or "", [])
        if not events or parameter not in wanted:
            continue
        known = program.contexts[callee]
        if known and parameter not in known:
            continue  # one context is enough for a function
        new = [each for each in events if each not in known.get(parameter, [])]
        known[parameter] = [*known.get(parameter, []), *new]
        changed |= bool(new)
    return changed


def is_api(parameter: cst.Param, function: Function, program: Program) -> bool:
    """True for a parameter that gets `self.api`."""
    annotation = parameter.annotation.annotation if parameter.annotation else None
    name = parameter.name.value
    return (
        program.qualified(annotation) in API
        or (name == "api" and is_command(function, program))
        or (annotation is None and name == "api")
    )
