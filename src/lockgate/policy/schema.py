"""The Cedar schema: the whole vocabulary policies may use."""

from lockgate.policy.entities import ACTIONS, GROUPS, TASKS
from lockgate.policy.mapping import ArgumentMapping, ArgumentType

_CEDAR_TYPES: dict[ArgumentType, str] = {
    "string": "String",
    "long": "Long",
    "decimal": "decimal",
    "bool": "Bool",
    "strings": "Set<String>",
}
_ENTITIES = """\
entity Role;
entity Person, Service, System in [Role] = {
  subject: String, agent: String, owner: String, authn: Set<String>,
  workload: String,
  scopes: Set<String>, actors: Set<String>, acr: String, auth_time: Long
};
entity Upstream = {
  name: String, trust: String, region: String, data_classes: Set<String>
};
entity Tool, Prompt, Resource in [Upstream] = {
  name: String, trust: String, region: String, data_classes: Set<String>
};
"""
_RESOURCES = {
    **dict.fromkeys(TASKS, "Tool"),
    "tools/call": "Tool",
    "resources/read": "Resource",
    "resources/subscribe": "Resource",
    "prompts/get": "Prompt",
    "completion/complete": "Prompt, Resource",
}


def schema_text(mapping: ArgumentMapping) -> str:
    """Cedar schema syntax. Every action has the same context, so that a rule over all actions may
    read an argument; every argument is optional, so that it must first ask whether it is there."""
    arguments = "".join(
        f'\n    "{name}"?: {_CEDAR_TYPES[kind]},' for name, kind in sorted(mapping.types.items())
    )
    context = (
        f"type Context = {{\n  arguments: {{{arguments}\n  }},\n"
        "  approvals: Set<String>,\n  now: Long\n};\n"
    )
    groups = "action " + ", ".join(f'"{name}"' for name in GROUPS) + ";\n"
    return _ENTITIES + groups + context + "".join(map(_action, ACTIONS))


def _action(method: str) -> str:
    above = [name for name, methods in GROUPS.items() if method in methods]
    within = f' in ["{above[0]}"]' if above else ""
    resources = _RESOURCES.get(method, "Upstream")
    return (
        f'action "{method}"{within} appliesTo {{\n'
        f"  principal: [Person, Service, System], resource: [{resources}], context: Context\n}};\n"
    )
