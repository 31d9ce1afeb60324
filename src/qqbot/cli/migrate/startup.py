"""How a botpy bot starts: its client, intents, credentials and `run`.

Responsible for taking these statements out of the file, and for the `Bot(...)` that replaces them. Collaborators:
`assembly` puts that where the class was.
"""

from dataclasses import dataclass, field

import libcst as cst

from .program import Program
from .syntax import (
    arguments,
    below,
    bindings,
    body_of,
    call,
    code,
    dotted,
    literal,
    marked,
    named_argument,
    names,
    small_statement,
    statement,
    string,
    walk,
)
from .tables import READ_YAML

LOGGING = {"log_config", "log_format", "log_level", "bot_log", "ext_handlers"}
ENVIRONMENT = (
    "set QQBOT_APP_ID and QQBOT_SECRET, or write them to .env beside this file{before}. "
    "请设置环境变量 QQBOT_APP_ID 和 QQBOT_SECRET，或写入 .env"
)


@dataclass
class Startup:
    """What the statements that start the bot said. `hoisted`: assignments that the credentials need."""

    options: dict[str, cst.BaseExpression] = field(default_factory=dict[str, cst.BaseExpression])
    appid: cst.BaseExpression | None = None
    secret: cst.BaseExpression | None = None
    runs: bool = False
    by_token: bool = False  # an old botpy: the token is no secret
    hoisted: list[cst.BaseStatement] = field(default_factory=list[cst.BaseStatement])
    remarks: list[str] = field(default_factory=list[str])


class _Taker(cst.CSTTransformer):
    """Takes the statements out."""

    def __init__(self, program: Program, startup: Startup) -> None:
        super().__init__()
        self.program = program
        self.startup = startup
        self.depth = 0

    def visit_IndentedBlock(self, node: cst.IndentedBlock) -> None:
        self.depth += 1

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        self.depth -= 1
        return updated_node

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.RemovalSentinel | cst.FlattenSentinel[cst.BaseStatement]:
        first = original_node.body[0] if len(original_node.body) == 1 else None
        match first:
            case cst.Assign([cst.AssignTarget(target)], value):
                if self._made(value) or self._is_intents(target):
                    return cst.RemoveFromParent()
            case cst.Expr(cst.Call(cst.Attribute(owner, cst.Name("run"))) as made) if self._is_client(owner):
                self._started(made)
                return self._run(updated_node)
            case cst.Expr(cst.Await(cst.Call(cst.Attribute(owner, cst.Name("start"))) as made)) if self._is_client(
                owner
            ):
                self._started(made)
                start = updated_node.with_changes(body=small_statement("await bot.start()"))
                return cst.FlattenSentinel([start, statement("await bot.wait()")])
            case _:
                pass
        return updated_node

    def visit_With(self, node: cst.With) -> None:
        """Know the client by its name in `async with MyClient(...) as client`."""
        for each in node.items:
            if each.asname is not None and self.program.is_client(each.item) and (name := dotted(each.asname.name)):
                self.program.instances.add(name)

    def leave_With(
        self, original_node: cst.With, updated_node: cst.With
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        """Drop `async with client:`, since `bot.start` and `bot.wait` follow."""
        first = original_node.items[0]
        if len(original_node.items) != 1 or not self._is_client(first.item):
            return updated_node
        return cst.FlattenSentinel(body_of(updated_node.body))

    def _run(self, line: cst.SimpleStatementLine) -> cst.BaseStatement:
        run = line.with_changes(body=small_statement("bot.run()"))
        if self.depth:
            return run
        guard = statement('if __name__ == "__main__":\n    bot.run()\n')
        return below([cst.EmptyLine(), *line.leading_lines], guard)

    def _is_client(self, node: cst.BaseExpression) -> bool:
        return dotted(node) in self.program.instances or self._made(node)

    def _made(self, node: cst.BaseExpression) -> bool:
        """Keep the options if the node makes the client."""
        if not self.program.is_client(node):
            return False
        assert isinstance(node, cst.Call)
        self.startup.options.update(arguments(node, ("intents", "timeout", "is_sandbox")) or {})
        return True

    def _is_intents(self, target: cst.BaseExpression) -> bool:
        return self.program.client is not None and (dotted(target) or "").partition(".")[0] in self.program.intents

    def _started(self, made: cst.Call) -> None:
        self.startup.runs = True
        found = arguments(made, ("appid", "secret")) or {}
        self.startup.appid = found.get("appid")
        self.startup.secret = found.get("secret", found.get("token"))
        self.startup.by_token = "secret" not in found


def take(program: Program) -> tuple[cst.Module, Startup]:
    """Return the file without these statements, and what they said."""
    startup = Startup()
    module = program.module.visit(_Taker(program, startup))
    module = _credentials(module, program, startup)
    return module, startup


def _credentials(module: cst.Module, program: Program, startup: Startup) -> cst.Module:
    if startup.appid is None or startup.secret is None:
        startup.appid = startup.secret = None
        if startup.runs:
            startup.remarks.append(ENVIRONMENT.format(before=""))
        return module
    wanted = set(names(startup.appid)) | set(names(startup.secret))
    module, configured = _without_config(module, program, wanted)
    if configured:
        startup.appid = startup.secret = None
        startup.remarks.append(ENVIRONMENT.format(before=f", in place of {_file(configured)}"))
        return module
    placeholder = not (string(startup.appid) or "1").isdigit()
    if startup.by_token or placeholder:
        startup.appid = startup.secret = None
        startup.remarks.append(ENVIRONMENT.format(before=""))
        return module
    hoisted: list[cst.SimpleStatementLine] = []
    order = [code(node) for node in walk(module) if isinstance(node, cst.SimpleStatementLine)]
    while missing := _bound_late(module, program, wanted):
        line = _assignment(module, min(missing))
        if line is None:
            startup.appid = startup.secret = None
            startup.remarks.append(ENVIRONMENT.format(before=""))
            return module
        hoisted.append(line)
        wanted |= set(names(line))
        removed = module.deep_remove(line)
        assert isinstance(removed, cst.Module)
        module = removed
    hoisted.sort(key=lambda line: order.index(code(line)))
    startup.hoisted = [below([], line) for line in hoisted]
    return module


def _file(node: cst.BaseExpression) -> str:
    texts = [found for each in walk(node) if (found := string(each))]
    return texts[-1] if texts else code(node)


def _without_config(
    module: cst.Module, program: Program, wanted: set[str]
) -> tuple[cst.Module, cst.BaseExpression | None]:
    """Take out the configuration that botpy's `read` fills, if only the credentials came from it."""
    counted = names(module)
    for name, (value, *_) in bindings(module).values.items():
        if name in wanted and counted[name] == 1 and isinstance(value, cst.Call):
            line = _assignment(module, name)
            if program.qualified(value.func) in READ_YAML and line is not None:
                removed = module.deep_remove(line)
                assert isinstance(removed, cst.Module)
                return removed, value.args[0].value
    return module, None


def _bound_late(module: cst.Module, program: Program, wanted: set[str]) -> set[str]:
    """Return the names that are bound, but not before the client's class."""
    early = set[str]()
    for each in module.body:
        if isinstance(each, cst.ClassDef) and program.client and each.name.value == program.client.name.value:
            break
        early |= (
            set(names(each))
            if isinstance(each, cst.SimpleStatementLine)
            else {node.value for node in walk(each) if isinstance(node, cst.Name)}
        )
    return {name for name in wanted if name in names(module) or _assignment(module, name) is not None} - early


def _assignment(module: cst.Module, name: str) -> cst.SimpleStatementLine | None:
    found = [
        node
        for node in walk(module)
        if isinstance(node, cst.SimpleStatementLine)
        and any(
            isinstance(each, cst.Assign) and [dotted(target.target) for target in each.targets] == [name]
            for each in node.body
        )
    ]
    return found[0] if len(found) == 1 else None


def bot_statement(startup: Startup) -> tuple[cst.BaseStatement, set[str]]:
    """Return `bot = Bot(...)`, and the names of this package that it needs."""
    needed = {"Bot"}
    made = call("Bot")
    if startup.appid is not None and startup.secret is not None:
        needed.add("Credentials")
        made = call("Bot", call("Credentials", startup.appid, startup.secret))
    more: list[cst.Arg] = []
    for name, value in startup.options.items():
        if name == "timeout":
            more.append(named_argument("timeout", value))
        elif name == "is_sandbox" and literal(value) is True:
            needed.add("Endpoints")
            more.append(named_argument("endpoints", call("Endpoints.legacy_sandbox")))
        elif name in LOGGING and literal(value) not in (True, False, None):
            startup.remarks.append(
                f"{name}={code(value)}: use logging.basicConfig(...) for logging. 日志请用 logging.basicConfig 配置"
            )
        elif name == "is_sandbox" and literal(value) is not False:
            startup.remarks.append(
                f"is_sandbox={code(value)}: if true, Bot(endpoints=Endpoints.legacy_sandbox()). 沙箱请设 endpoints"
            )
    made = made.with_changes(args=[*made.args, *more])
    line = statement(f"bot = {code(made)}")
    return marked(line, startup.remarks), needed
