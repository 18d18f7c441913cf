"""What an answer's code says about itself before it runs: calls that make it worth nothing, and things to look at."""

import ast
from collections.abc import Iterable, Iterator

from grading.notebook import Statement
from lecture_lib.exercises.record import Exercise

SOLVED = "lecture_lib torchvision sklearn skimage cv2 pycocotools timm detectron2 mmdet mmcv ultralytics supervision"
USUAL = (
    "torch numpy math cmath itertools functools collections typing dataclasses operator heapq bisect random statistics "
    "numbers fractions decimal abc enum copy warnings contextlib string re __future__"
)
NAMES = "exec eval compile open __import__ globals locals vars input breakpoint setattr delattr __builtins__ __loader__"


def refusals(statements: Iterable[Statement], exercise: Exercise) -> list[str]:
    """Why an answer is worth nothing, however right it is: it lets others do the exercise. Empty for an own answer."""
    denied = {path.rsplit(".", 1)[1]: path for path in exercise.forbidden}
    statements, found = list(statements), []
    for name in {name for statement in statements for name in statement.binds if _is_own(statement)}:
        denied.pop(name, None)  # a function that students wrote themselves, whatever its name
    for node in _nodes(statements):
        found += [f"uses {module}, which has the answer" for module in _modules(node) if module in SOLVED.split()]
        names = _names(node)
        found += [f"uses {denied[name]}, which does the exercise in one call" for name in names if name in denied]
    return list(dict.fromkeys(found))


def oddities(statements: Iterable[Statement]) -> list[str]:
    """What a person should look at: it costs no points, and no honest answer needs it."""
    found = []
    for node in _nodes(statements):
        known = USUAL.split() + SOLVED.split()
        found += [f"imports {module}" for module in _modules(node) if module not in known]
        found += [f"names {name}" for name in _names(node) if name in NAMES.split()]
        if isinstance(node, ast.Attribute) and node.attr.startswith("__") and node.attr != "__init__":
            found.append(f"reads {node.attr}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            constant = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
            found += [] if constant else ["computes the name of an attribute"]
    return list(dict.fromkeys(found))


def _is_own(statement: Statement) -> bool:
    return isinstance(statement.tree, ast.FunctionDef)


def _nodes(statements: Iterable[Statement]) -> Iterator[ast.AST]:
    for statement in statements:
        yield from ast.walk(statement.tree)


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [(node.module or "").split(".")[0]]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if called in ("__import__", "import_module"):
            return [str(node.args[0].value).split(".")[0]]
    return []


def _names(node: ast.AST) -> list[str]:
    """Names that a node says: a variable, an attribute, what is imported from a module, a constant for getattr."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, ast.ImportFrom):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 80:
        return [node.value]
    return []
