"""The Cedar schema: the whole vocabulary policies may use."""

from lockgate.policy.entities import LISTS, READS
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
  subject: String, agent: String, owner: String, authn: Set<String>
};
entity Upstream = {
  name: String, trust: String, region: String, data_classes: Set<String>
};
entity Tool, Prompt, Resource in [Upstream] = {
  name: String, trust: String, region: String, data_classes: Set<String>
};
action "read", "list";
"""
_RESOURCES = {
    "tools/call": "Tool",
    "resources/read": "Resource",
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
    actions = [_action("tools/call", None), *(_action(name, "read") for name in READS)]
    return _ENTITIES + context + "".join([*actions, *(_action(name, "list") for name in LISTS)])


def _action(method: str, group: str | None) -> str:
    within = f' in ["{group}"]' if group else ""
    resources = _RESOURCES.get(method, "Upstream")
    return (
        f'action "{method}"{within} appliesTo {{\n'
        f"  principal: [Person, Service, System], resource: [{resources}], context: Context\n}};\n"
    )
