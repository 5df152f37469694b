"""What is fuzzed, by name. A new decoder is one function and one line here."""

from fuzz.targets.asks import declared, input_rounds, listens
from fuzz.targets.bridges import crossing, openings, our_words, refusals
from fuzz.targets.certificates import certificates, forwarded_certificates
from fuzz.targets.dialogues import dialogue
from fuzz.targets.edits import raw_edits
from fuzz.targets.gateway import same_call, whole_gateway
from fuzz.targets.header_values import header_lists, header_values, param_headers
from fuzz.targets.http_responses import addresses, http_responses
from fuzz.targets.json_text import strict_json
from fuzz.targets.judgements import mappings, schemas, settings
from fuzz.targets.messages import cancelled, client_request, json_rpc, label
from fuzz.targets.name_forms import results, spellings, tool_names, uris
from fuzz.targets.streams import message_lines, program_lines, server_sent_events
from fuzz.targets.tokens import sealed_tokens
from fuzz.targets.upstream_side import list_pages, tool_definitions
from fuzz.watch import Target

_ALL: tuple[Target, ...] = (
    strict_json,
    json_rpc,
    client_request,
    cancelled,
    label,
    server_sent_events,
    message_lines,
    program_lines,
    raw_edits,
    header_values,
    header_lists,
    param_headers,
    forwarded_certificates,
    certificates,
    tool_names,
    uris,
    results,
    spellings,
    crossing,
    refusals,
    openings,
    our_words,
    declared,
    input_rounds,
    listens,
    http_responses,
    addresses,
    list_pages,
    tool_definitions,
    schemas,
    mappings,
    settings,
    sealed_tokens,
    whole_gateway,
    same_call,
    dialogue,
)

TARGETS: dict[str, Target] = {target.__name__: target for target in _ALL}
