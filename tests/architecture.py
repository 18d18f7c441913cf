"""What ARCHITECTURE.md computes from the imports and the recipes: `python -m tests.architecture` writes it anew."""

import ast
from collections.abc import Iterator
from pathlib import Path

import lecture_lib
from lecture_lib import detectors
from lecture_lib.plotting.ladder import slot_table_text
from tests.marked import filled

PACKAGE = Path(lecture_lib.__file__).parent
PAGE = PACKAGE.parent / "ARCHITECTURE.md"
LAYERS = (  # a module imports only modules listed above it
    "files",
    "stopwatch",
    "threads",
    "structures",
    "boxes",
    "matching",
    "mobile",
    "backbones",
    "graphs",
    "encoders",
    "pooling",
    "decoding",
    "proposals",
    "heads",
    "masks",
    "checkpoints",
    "detectors",
    "images",
    "download",
    "voc",
    "evaluation",
    "precompute",
    "training",
    "plotting",
    "widgets",
    "exercises",
    "pages",
    "notebooks",
    "slides",
)


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, dotted; a relative import raises ValueError."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}: relative import; write it out")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of(path: Path) -> str:
    """The layer of a file of the package: its first folder, or its own name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def files() -> list[Path]:
    """The package's files; its own first one, which holds the version, has no layer."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def edges() -> dict[str, set[str]]:
    """The layers that each layer imports."""
    found: dict[str, set[str]] = {layer: set() for layer in LAYERS}
    for path in files():
        found[layer_of(path)] |= {name.split(".")[1] for name in imported(path) if name.startswith("lecture_lib.")}
    return {layer: (targets - {layer}) & set(LAYERS) for layer, targets in found.items()}


def reduced(graph: dict[str, set[str]]) -> dict[str, list[str]]:
    """Without the edges that follow from others (the transitive reduction of a graph without circles)."""
    below: dict[str, set[str]] = {}
    for layer in LAYERS:  # what a layer imports comes before it
        below[layer] = graph[layer].union(*(below[target] for target in graph[layer]))
    return {
        layer: [t for t in LAYERS if t in targets and not any(t in below[other] for other in targets)]
        for layer, targets in graph.items()
    }


def drawing() -> str:
    """The reduced graph in Mermaid's language, which code hosts draw."""
    lines = [f"    {layer} --> {target}" for layer, targets in reversed(reduced(edges()).items()) for target in targets]
    return "\n".join(["```mermaid", "flowchart TB", *lines, "```"])


def module_table() -> str:
    """Each layer with the first line of its docstring."""
    rows = ["| module | what it is |", "|---|---|"]
    for layer in LAYERS:
        path = PACKAGE / layer / "__init__.py" if (PACKAGE / layer).is_dir() else PACKAGE / f"{layer}.py"
        first = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()[0]
        rows.append(f"| [{layer}]({path.relative_to(PAGE.parent).as_posix().removesuffix('/__init__.py')}) | {first} |")
    return "\n".join(rows)


def filled_page() -> str:
    """ARCHITECTURE.md with its computed parts made anew."""
    recipes = {name: detectors.RECIPES[name](["object"]) for name in detectors.LADDER}
    parts = {"slots": slot_table_text(recipes), "imports": drawing(), "modules": module_table()}
    return filled(PAGE.read_text(encoding="utf-8"), parts)


if __name__ == "__main__":
    PAGE.write_text(filled_page(), encoding="utf-8")
