"""YAML documents that users write: read strictly, checked against a JSON schema, errors explained.

Strict means: no duplicate keys (a later one would silently win), dates stay text, and only
``true`` and ``false`` are booleans (so a code called ``no`` or ``off`` stays a code).
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import ValidationError as SchemaError  # type: ignore[import-untyped]
from jsonschema.exceptions import best_match

from creditops.errors import UsageError

_DEEPEST, _MOST_VALUES = 64, 1_000_000
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_Base):  # type: ignore[misc]
    """Safe YAML without implicit dates, with two spellings of a boolean and unique keys."""


_StrictLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")
    ]
    for first, resolvers in _Base.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])


def _unique_mapping(loader: Any, node: yaml.MappingNode) -> dict[Hashable, Any]:
    written = {id(key) for key, _ in node.value}  # what `<<` brings may be written over, as YAML says
    loader.flatten_mapping(node)
    mapping: dict[Hashable, Any] = {}
    own: set[Hashable] = set()
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in own:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is written twice", key_node.start_mark
            )
        own |= {key} if id(key_node) in written else set()
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)


def read_document(path: Path, schema: Path) -> dict[str, Any]:
    """The YAML mapping in ``path``, valid against the JSON schema (draft 2020-12) in ``schema``.

    Raises
    ------
    UsageError: the file cannot be read, is not YAML, or breaks the schema; the message names the
        file and the place in it (``columns[amount].type``), the hint says what to write instead.
    """
    text, document = read_mapping(path)
    problem = best_match(_validator(schema).iter_errors(document))
    if problem is not None:
        steps = list(problem.absolute_path)
        raise UsageError(
            f"{path}: {line_of(text, steps)}{place(document, steps)}: {_sentence(problem)}",
            hint=_remedy(problem),
        )
    return document


def read_mapping(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a YAML file and the mapping that it holds, read strictly.

    Raises
    ------
    UsageError: the file cannot be read or is no YAML mapping; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8: {error}", hint="save it as UTF-8") from error
    return text, parse_mapping(text, str(path))


def parse_mapping(text: str, name: str) -> dict[str, Any]:
    """The mapping that a YAML text holds, read strictly; ``name`` is its file's, for messages.

    Raises
    ------
    UsageError: it holds none; the message names file and line.
    """
    try:
        _check_extent(text)
        document = yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise UsageError(f"{name}: {where}: {problem}", hint="mend the YAML at that place") from error
    if not isinstance(document, dict):
        raise UsageError(f"{name}: the file is not a YAML mapping", hint="start with `key: value` lines")
    return document


def names_in(path: Path, key: str) -> tuple[str, ...]:
    """What a list of names under a top-level key says, as far as a file that may be broken can be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        found = parse_mapping(text, str(path)).get(key)
    except OSError:
        return ()
    except UsageError:
        listed = re.search(rf"^{key}:(?:[ \t]*\[([^\]]*)\]|((?:\s*\n[ \t]*- .*)+))", text, re.MULTILINE)
        found = re.findall(r"\w+", listed[1] or listed[2]) if listed else None
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _check_extent(text: str) -> None:
    """Refuse what is nested so deeply, or repeats itself by aliases so often, that reading it does harm.

    The events are told one by one; only the loader follows nesting with its own stack.

    Raises
    ------
    yaml.MarkedYAMLError: with the place.
    """
    open_ones: list[tuple[str | None, int]] = []
    sizes: dict[str, int] = {}
    size = 0
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.CollectionStartEvent):
            open_ones.append((event.anchor, size))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_ones.pop()
            if anchor is not None:
                sizes[anchor] = size - before
        elif isinstance(event, yaml.AliasEvent):
            size += sizes.get(str(event.anchor), 1)
        size += 1
        if len(open_ones) > _DEEPEST or size > _MOST_VALUES:
            what = f"nested over {_DEEPEST} deep" if len(open_ones) > _DEEPEST else "over 1,000,000 values"
            raise yaml.MarkedYAMLError(problem=what, problem_mark=event.start_mark)  # type: ignore[arg-type]


def place(document: Any, path: Sequence[str | int]) -> str:
    """A readable path: list members go by their ``name`` where they have one."""
    parts: list[str] = []
    current = document
    for step in path:
        try:
            current = current[step]
        except (KeyError, IndexError, TypeError):
            current = None
        if isinstance(step, int):
            label = current.get("name", step) if isinstance(current, dict) else step
            parts.append(f"[{label}]")
        else:
            parts.append(f".{step}" if parts else str(step))
    return "".join(parts) or "top level"


def line_of(text: str, path: Sequence[str | int]) -> str:
    """``line N: `` of the value at a path of a YAML text; the last step that exists counts."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for step in path:
        following = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    line, following = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            following = node.value[step]
            line = following.start_mark.line + 1
        if following is None:
            break
        node = following
    return f"line {line}: "


@lru_cache
def _validator(schema: Path) -> Draft202012Validator:
    content = json.loads(schema.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(content)
    return Draft202012Validator(content)


def _sentence(problem: SchemaError) -> str:
    value = problem.instance
    match problem.validator:
        case "required":
            missing = [key for key in problem.validator_value if key not in value]
            return f"{', '.join(map(repr, missing))} is missing"
        case "additionalProperties":
            known = problem.schema.get("properties", {})
            unknown = [key for key in value if key not in known]
            return f"unknown key {', '.join(map(repr, unknown))}"
        case "enum":
            return f"{value!r} is not one of the allowed words"
        case "type":
            return f"{value!r} is not of type {problem.validator_value}"
        case "not":
            return f"{value!r} is not allowed here"
        case _:
            return problem.message


def _remedy(problem: SchemaError) -> str:
    about = problem.schema.get("description", "") if isinstance(problem.schema, dict) else ""
    match problem.validator:
        case "required":
            return "add " + ", ".join(k for k in problem.validator_value if k not in problem.instance)
        case "additionalProperties":
            known = sorted(problem.schema.get("properties", {}))
            return "known keys here are " + ", ".join(known)
        case "enum":
            return "use one of " + ", ".join(map(str, problem.validator_value))
        case "type" if problem.validator_value == "string":
            return "put the value in quotes" + (f"; {about}" if about else "")
        case _:
            return about or "see the schema beside the file"
