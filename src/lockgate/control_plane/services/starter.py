"""The files a new deployment starts from. Both work as they are and permit nothing yet."""

from pathlib import Path

from lockgate.control_plane.services.files import write_new
from lockgate.control_plane.services.refused import Refused

CONFIG_NAME = "lockgate.yaml"
POLICY_NAME = "starter.cedar"

CONFIG = """\
# Lockgate's configuration. Everything here may be left out; what is commented is the default.
# Relative paths start where this file is. `lockgate config check` says what is wrong with it,
# `lockgate config schema` prints a JSON Schema for your editor.

listen:
  # Only this machine reaches the gate. For another address put a TLS proxy in front, set
  # behind_tls_proxy: true and list under hosts the names clients use.
  host: 127.0.0.1
  port: 8765
  # hosts: [gate.example.org]
  # origins: []            # web pages that may call the gate; none
  # behind_tls_proxy: false
  # workers: 1             # processes that share the work; at most one for each core

# Journal, keys and secrets. Only the gateway's own user may read it. Back it up.
data_dir: data

# Journal, keys and state in PostgreSQL instead (pip install 'lockgate[postgresql]'), for several
# machines: a postgresql:// URL, by reference where it holds a password. Secrets stay in data_dir,
# whose "secrets" folder must be the same everywhere.
# database: env:DATABASE_URL

# Directory of .cedar files, or a list of files. Without a policy nothing is permitted.
policies: policies

# Rates are for each principal. Sizes may have a unit (4 MiB), times are in seconds.
# limits:
#   calls_per_minute: 600
#   burst: 200
#   concurrent_calls: 32
#   message_bytes: 4 MiB
#   reply_bytes: 4 MiB
#   call_seconds: 60
#   header_seconds: 10
#   body_seconds: 30
#   session_days: 30
#   drain_seconds: 20

# Who may change the gateway. With enforced: true, commands that change things take a role that was
# asked for and given for some hours: lockgate admin --help. Name first who may give roles.
# admin:
#   enforced: false
#   granters: [os:carol, os:dave]    # operating system accounts, or oidc:SUBJECT
#   two_people: [operator]           # besides privacy_officer and responder
#   longest_hours: 8
#   accounts: {carol: "248289"}        # account and OIDC subject of one person

# Pages for administrators at ORIGIN/console/, behind a sign-in at the company's identity provider.
# There, register ORIGIN/console/callback, and for the end of sessions
# ORIGIN/console/backchannel-logout.
# console:
#   issuer: https://login.example.org
#   client_id: lockgate
#   client_secret: file:secrets/console
#   origin: https://gate.example.org
#   provider_origins: []             # where else its token endpoint and keys are

# The MCP servers behind the gate. `lockgate import FILE` adds those of a client's configuration.
# A secret is never written here, only where it is: env:NAME, file:/path, or in a vault, at AWS or
# in a keyring (docs/secrets.md).
upstreams: {}
#  time:
#    command: mcp-server-time
#    args: [--local-timezone, UTC]
#    trust: internal                 # untrusted (default), internal or trusted
#  tickets:
#    url: https://mcp.example.org/mcp
#    headers:
#      Authorization: Bearer file:secrets/tickets
#    region: eu
#    data_classes: [personal]
#    timeout_seconds: 30
#    tools:
#      close_ticket:
#        arguments:                  # what policy may read, and its type
#          queue: string             # string, long, decimal, bool or strings
"""

POLICY = """\
// Lockgate asks these policies about every call. The language is Cedar: https://cedarpolicy.com
//
// What no policy permits is refused, and a forbid always wins over a permit. What a person may not
// call is not listed to them either. A key brings its roles: lockgate keys create --role developer

// Actions are MCP's methods. In groups:
//   "list"  tools/list, resources/list ...
//   "read"  resources/read, resources/subscribe, prompts/get, completion/complete
//   "ask"   elicitation/create, sampling/createMessage, roots/list: what an upstream may ask of the
//           person while it works. The resource is the Upstream that asks.
//   "task"  tasks/get, tasks/update, tasks/cancel: to follow a call that goes on after its answer.
//           The resource is the Tool that was called; its arguments are not known any more.

// Whoever has the role "developer" may see and use all upstreams: tools, resources and prompts; may
// be asked something meanwhile, and may follow what takes longer. Leave out "ask" and no upstream
// can put a question to anybody, "task" and long calls cannot be followed.
@id("developers-use-everything")
permit (
  principal in Role::"developer",
  action in [
    Action::"tools/call", Action::"list", Action::"read", Action::"ask", Action::"task"
  ],
  resource
);

// Narrower: everything of one upstream, or one tool with one argument. Arguments that a policy
// reads are declared in lockgate.yaml under upstreams.<name>.tools.<tool>.arguments.
// @id("desk-sees-tickets")
// permit (
//   principal in Role::"desk",
//   action in [Action::"list", Action::"read"],
//   resource in Upstream::"tickets"
// );
// @id("desk-closes-its-own-queue")
// permit (
//   principal in Role::"desk",
//   action == Action::"tools/call",
//   resource == Tool::"tickets/close_ticket"
// ) when {
//   context.arguments has queue && context.arguments.queue == "desk"
// };

// Only after a person's yes to exactly this call: lockgate approvals list, approvals approve ID
// @id("reopening-needs-a-yes")
// @hold("owner")
// forbid (
//   principal,
//   action == Action::"tools/call",
//   resource == Tool::"tickets/reopen_ticket"
// ) unless { context.approvals.contains("owner") };

// Nobody, whatever else is permitted.
// @id("no-deletions")
// forbid (
//   principal,
//   action == Action::"tools/call",
//   resource == Tool::"tickets/delete_ticket"
// );
"""


def write_starter(folder: Path, policy: str = POLICY) -> tuple[Path, ...]:
    """Write the configuration and one policy. Raises ``Refused`` before changing anything."""
    config = folder / CONFIG_NAME
    rules = folder / "policies" / POLICY_NAME
    for path in (config, rules):
        if path.exists():
            raise Refused(f"{path} exists already.", "Nothing was changed. Choose another "
                          "directory with --dir, or move it away.")  # fmt: skip
    write_new(rules, policy)
    write_new(config, CONFIG, 0o600)
    return (config, rules)
