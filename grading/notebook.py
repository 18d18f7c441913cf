"""A submitted notebook as statements: read as JSON and as a syntax tree, never run, its metadata not trusted."""

import ast
import json
import re
import symtable
from collections.abc import Collection, Iterator
from dataclasses import dataclass

MOST_BYTES, MOST_SOURCE = 20 << 20, 200_000
MAGIC = re.compile(r"^\s*[%!]|\?\s*$")
BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError)


class Unreadable(ValueError):
    """A file that is no notebook."""


@dataclass(frozen=True)
class Statement:
    """A top-level import, definition or assignment without a call: its code, its first line counted over all cells."""

    source: str
    line: int
    tree: ast.stmt
    binds: frozenset[str]
    uses: frozenset[str]


@dataclass(frozen=True)
class Answers:
    """What a notebook defines. `cells`: first line of each code cell; `problems`: cells that could not be read."""

    statements: tuple[Statement, ...]
    cells: tuple[int, ...]
    problems: tuple[str, ...]

    def place(self, line: int) -> str:
        """A line counted over all cells, as a student finds it."""
        number = max((n for n, first in enumerate(self.cells, 1) if first <= line), default=0)
        return f"code cell {number}, line {line - self.cells[number - 1] + 1}" if number else "the notebook"

    def defines(self, name: str) -> bool:
        """Whether some statement gives that name a value."""
        return any(name in statement.binds for statement in self.statements)

    def needed_for(self, name: str, given: Collection[str] = ()) -> tuple[Statement, ...]:
        """The statements that the value of `name` depends on, in their order; star imports always, `given` never."""
        wanted, chosen, grew = {name, "*"}, set(), True
        while grew:
            found = {n for n, s in enumerate(self.statements) if n not in chosen and s.binds & wanted}
            wanted |= {used for n in found for used in self.statements[n].uses if used not in given}
            chosen |= found
            grew = bool(found)
        return tuple(self.statements[n] for n in sorted(chosen))


def read(raw: bytes) -> Answers:
    """The statements of a notebook. Raises Unreadable; a cell with a syntax error is left out and told."""
    statements, cells, problems, line = [], [], [], 1
    for number, source in enumerate(_sources(raw), 1):
        cells.append(line)
        lines = source.splitlines()
        if lines and lines[0].lstrip().startswith("%%"):
            lines = []
        text = "\n".join("" if MAGIC.search(each) and not each.lstrip().startswith("#") else each for each in lines)
        try:
            statements += _kept(text, line)
        except BROKEN as error:
            where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            problems.append(f"code cell {number}{where}: {type(error).__name__}; nothing of this cell counts")
        line += len(lines) + 1
    return Answers(tuple(statements), tuple(cells), tuple(problems))


def _sources(raw: bytes) -> list[str]:
    if len(raw) > MOST_BYTES:
        raise Unreadable(f"larger than {MOST_BYTES >> 20} MB: clear the outputs and hand in again")
    try:
        cells = json.loads(raw)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        texts = [text if isinstance(text, str) else "".join(text) for text in sources]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable("not a Jupyter notebook (JSON with cells)") from None
    if sum(map(len, texts)) > MOST_SOURCE:
        raise Unreadable(f"more than {MOST_SOURCE} characters of code")
    return texts


def _kept(text: str, first: int) -> list[Statement]:
    kept = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef) and not (
            isinstance(node, ast.Assign | ast.AnnAssign) and not _runs(node)
        ):
            continue
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        if start == node.lineno:
            source = ast.get_source_segment(text, node)
        else:
            source = "\n".join(text.split("\n")[start - 1 : node.end_lineno])
        uses = frozenset(_globals(symtable.symtable(source, "<answer>", "exec")))
        kept.append(Statement(source, first + start - 1, node, _bound(node), uses))
    return kept


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """The names that code takes from outside of its functions; their own variables are none of them."""
    top = table.get_type() == "module"
    yield from (s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global()))
    for inner in table.get_children():
        yield from _globals(inner)


def _runs(node: ast.AST) -> bool:
    """Whether an assignment runs something at once; the body of a lambda runs later."""
    if isinstance(node, ast.Lambda):
        return False
    return isinstance(node, ast.Call | ast.Await) or any(_runs(child) for child in ast.iter_child_nodes(node))


def _bound(node: ast.stmt) -> frozenset[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return frozenset({node.name})
    if isinstance(node, ast.Import):
        return frozenset(alias.asname or alias.name.split(".")[0] for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return frozenset(alias.asname or alias.name for alias in node.names)
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
