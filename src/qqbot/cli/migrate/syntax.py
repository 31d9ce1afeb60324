"""Small questions about syntax trees of libcst, and small trees.

Responsible for names, arguments, literals and comments. It knows neither botpy nor this package.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import libcst as cst
from libcst import helpers

MARK = "# qqbot migrate: "


def dotted(node: cst.CSTNode | None) -> str | None:
    """Return the text of a name such as `a.b.c`; None for any other expression."""
    match node:
        case cst.Name(value):
            return value
        case cst.Attribute(value, cst.Name(attribute)):
            base = dotted(value)
            return base and f"{base}.{attribute}"
        case _:
            pass
    return None


def code(node: cst.CSTNode) -> str:
    """Return the source text of a tree."""
    return cst.Module([]).code_for_node(node).strip()


def expression(text: str, **parts: cst.BaseExpression) -> cst.BaseExpression:
    """Return the tree of a text in which `{name}` stands for a part."""
    return helpers.parse_template_expression(text, cst.PartialParserConfig(), **parts)


def call(function: str, *positional: cst.BaseExpression, **named: cst.BaseExpression) -> cst.Call:
    """Return a call of a dotted name."""
    arguments = [cst.Arg(each) for each in positional]
    arguments += [named_argument(name, each) for name, each in named.items()]
    return cst.Call(cst.parse_expression(function), arguments)


def named_argument(name: str, value: cst.BaseExpression) -> cst.Arg:
    """Return `name=value`."""
    plain = cst.SimpleWhitespace("")
    return cst.Arg(value, cst.Name(name), cst.AssignEqual(plain, plain))


def text(value: str) -> cst.SimpleString:
    """Return a string literal in double quotes where Python writes it so."""
    quoted = repr(value)
    return cst.SimpleString(f'"{value}"' if quoted == f"'{value}'" and '"' not in value else quoted)


def string(node: cst.CSTNode | None) -> str | None:
    """Return the value of a string literal, else None."""
    if isinstance(node, cst.SimpleString | cst.ConcatenatedString):
        value = node.evaluated_value
        return value if isinstance(value, str) else None
    return None


def literal(node: cst.CSTNode) -> object:
    """Return the value of a literal; the node itself if it is none."""
    try:
        return ast.literal_eval(code(node))
    except (ValueError, SyntaxError):
        return node


def is_none(node: cst.CSTNode | None) -> bool:
    """True if it is absent or the name None."""
    return node is None or dotted(node) == "None"


def arguments(node: cst.Call, names: Sequence[str]) -> dict[str, cst.BaseExpression] | None:
    """Return the arguments by name; None if one is `*` or `**`, or there are too many."""
    found: dict[str, cst.BaseExpression] = {}
    for index, each in enumerate(node.args):
        if each.star or (each.keyword is None and index >= len(names)):
            return None
        found[each.keyword.value if each.keyword else names[index]] = each.value
    return found


def entries(node: cst.CSTNode) -> dict[str, cst.BaseExpression] | None:
    """Return the entries of a dict literal with keys of text, or the arguments of `f(name=value)`."""
    match node:
        case cst.Dict(elements):
            pairs = [
                (string(each.key), each.value) if isinstance(each, cst.DictElement) else (None, each.value)
                for each in elements
            ]
            return None if any(key is None for key, _ in pairs) else {str(key): value for key, value in pairs}
        case cst.Call():
            return arguments(node, ())
        case _:
            pass
    return None


def items(node: cst.CSTNode | None) -> list[cst.BaseExpression] | None:
    """Return the elements of a list or tuple literal; None for anything else."""
    if isinstance(node, cst.List | cst.Tuple) and not any(
        isinstance(each, cst.StarredElement) for each in node.elements
    ):
        return [each.value for each in node.elements]
    return None


def listing(elements: Sequence[cst.BaseExpression]) -> cst.List:
    """Return a list literal."""
    return cst.List([cst.Element(each) for each in elements])


def dictionary(pairs: Mapping[str, cst.BaseExpression]) -> cst.Dict:
    """Return a dict literal."""
    return cst.Dict([cst.DictElement(text(key), value) for key, value in pairs.items()])


def statement(source: str) -> cst.BaseStatement:
    """Return the tree of one statement."""
    return cst.parse_statement(source)


def small_statement(source: str) -> list[cst.BaseSmallStatement]:
    """Return what one line of Python consists of."""
    line = cst.parse_statement(source)
    assert isinstance(line, cst.SimpleStatementLine)
    return list(line.body)


def lines_above(node: cst.BaseStatement) -> list[cst.EmptyLine]:
    """Return the blank lines and comments above a statement."""
    assert isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    return list(node.leading_lines)


def below(lines: Sequence[cst.EmptyLine], node: cst.BaseStatement) -> cst.BaseStatement:
    """Return the statement with these lines above it, in place of its own."""
    assert isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    return node.with_changes(leading_lines=list(lines))


def body_of(node: cst.BaseSuite) -> list[cst.BaseStatement]:
    """Return the statements of a block, also of one that stands in the line of its header."""
    if isinstance(node, cst.SimpleStatementSuite):
        return [cst.SimpleStatementLine(node.body)]
    return [each for each in node.body if isinstance(each, cst.BaseStatement)]


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the node and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def names(node: cst.CSTNode) -> Counter[str]:
    """Count the names that a tree reads or binds; attributes and keywords of arguments are no names."""
    counted = Counter(each.value for each in walk(node) if isinstance(each, cst.Name))
    for each in walk(node):
        match each:
            case cst.Attribute(_, cst.Name(value)) | cst.Arg(_, cst.Name(value)):
                counted[value] -= 1
            case _:
                pass
    return +counted


Values = defaultdict[str, list[cst.BaseExpression]]


@dataclass
class Bindings:
    """The names that are bound in a block. `values`: what is assigned to each; `counts`: how often one is bound.

    `loops`: what loops go through; `files`: the names of `with open(...) as name`; `gathered`: what
    is added to a list.
    """

    values: Values = field(default_factory=lambda: defaultdict[str, list[cst.BaseExpression]](list))
    loops: Values = field(default_factory=lambda: defaultdict[str, list[cst.BaseExpression]](list))
    counts: Counter[str] = field(default_factory=Counter[str])
    files: set[str] = field(default_factory=set[str])
    gathered: list[tuple[str, cst.BaseExpression]] = field(default_factory=list[tuple[str, cst.BaseExpression]])

    def value(self, name: str) -> cst.BaseExpression | None:
        """Return the only value of a name; None if there are others."""
        return self.values[name][0] if self.counts[name] == 1 and name in self.values else None


def bindings(node: cst.CSTNode) -> Bindings:
    """Return what the statements of a tree bind."""
    found = Bindings()
    for each in walk(node):
        _bind(each, found)
    return found


def _bind(node: cst.CSTNode, found: Bindings) -> None:
    match node:
        case cst.Assign(targets, value):
            for target in targets:
                _bind_target(target.target, value, found.values, found)
        case cst.AnnAssign(cst.Name(name), _, cst.BaseExpression() as value):
            found.counts[name] += 1
            found.values[name].append(value)
        case cst.AugAssign(cst.Name(name)) | cst.NamedExpr(cst.Name(name)) | cst.AsName(cst.Name(name)):
            found.counts[name] += 2
        case cst.WithItem(cst.Call(cst.Name("open")), cst.AsName(cst.Name(name))):
            found.files.add(name)
        case cst.For(target, iterated) | cst.CompFor(target, iterated):
            _bind_target(target, iterated, found.loops, found)
        case cst.Call(cst.Attribute(cst.Name(name), cst.Name("append" | "extend")), [cst.Arg(value)]):
            found.gathered.append((name, value))
        case cst.Param(cst.Name(name)):
            found.counts[name] += 1
        case _:
            pass


def _bind_target(target: cst.BaseExpression, value: cst.BaseExpression, into: Values, found: Bindings) -> None:
    for name in names(target):
        found.counts[name] += 1
    if isinstance(target, cst.Name):
        into[target.value].append(value)


def marked(node: cst.BaseStatement, remarks: Sequence[str]) -> cst.BaseStatement:
    """Return the statement with a comment for each remark above it."""
    lines = [cst.EmptyLine(comment=cst.Comment(MARK + each)) for each in remarks]
    return below([*lines_above(node), *lines], node)
