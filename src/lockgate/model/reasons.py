"""Every way Lockgate can say yes or no. One closed list; a code is never reused or renumbered.

``says`` is one sentence that is safe for the model: no data, no names of policies or people.
``remedy`` says what would make it pass. ``docs/reasons.md`` is generated from this file.
"""

import msgspec

INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL = -32603
PARSE_ERROR = -32700
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
REFUSED = -31000
"""Lockgate's own refusals that are not tool results. Outside the range JSON-RPC reserves."""


class Uncatalogued(Exception):
    """A reason code that this file does not list."""


class Reason(msgspec.Struct, frozen=True):
    code: str
    says: str
    remedy: str = ""
    rpc: int = REFUSED
    http: int = 200
    """HTTP status where the refusal is the whole answer to a POST."""


def _catalogue(*reasons: Reason) -> dict[str, Reason]:
    found = {r.code: r for r in reasons}
    if len(found) != len(reasons):
        raise Uncatalogued("a reason code is listed twice")
    return found


_R = Reason

REASONS = _catalogue(
    # Yes.
    _R("policy.permitted", "Policy permits this."),
    _R("policy.listed", "Policy decided what this list shows."),
    _R("quota.within", "Within the rate and concurrency limits."),
    _R("quota.exempt", "Lockgate's own traffic is not rate limited."),
    _R("schema.valid", "The arguments match the tool's input schema."),
    _R("schema.not-needed", "This method has no input schema."),
    _R("inspection.clean", "Nothing was found that may not pass."),
    _R("approval.given", "A person approved exactly this call."),
    _R("approval.ran", "It was approved, and ran once."),
    _R("approval.changed", "A question to other people took a step."),
    _R("approval.not-needed", "No approval is asked for."),
    # Bytes: step 1 and 2.
    _R("wire.too-large", "The message is larger than the gateway accepts.",
       "Send less, or ask the operator to raise limits.message_bytes.", INVALID_REQUEST, 413),
    _R("wire.too-slow", "The message did not arrive in time.",
       "Send the whole request promptly.", INVALID_REQUEST, 408),
    _R("wire.not-json", "The message is not valid JSON.",
       "Send one UTF-8 JSON object.", PARSE_ERROR, 400),
    _R("wire.duplicate-key", "The JSON names the same key twice.",
       "Send each key once.", INVALID_REQUEST, 400),
    _R("wire.ambiguous-key", "A key differs only in case from another key, or from a known one.",
       "Send each key once, spelled as the specification spells it.", INVALID_REQUEST, 400),
    _R("wire.too-deep", "The JSON is nested too deeply.",
       "Send flatter data.", INVALID_REQUEST, 400),
    _R("wire.not-jsonrpc", "The message is not a JSON-RPC 2.0 request, notification or response.",
       "Send an object with jsonrpc \"2.0\" and a method.", INVALID_REQUEST, 400),
    _R("wire.batch", "JSON-RPC batches are not accepted.",
       "Send each message on its own.", INVALID_REQUEST, 400),
    _R("wire.bad-id", "The request id is neither a string nor an integer.",
       "Use a string or an integer id.", INVALID_REQUEST, 400),
    _R("wire.duplicate-id", "A request with this id is still in flight.",
       "Use each id once.", INVALID_REQUEST, 400),
    _R("wire.bad-params", "The parameters do not fit the method.",
       "See the MCP specification of the method.", INVALID_PARAMS, 200),
    _R("wire.missing-meta", "The request lacks _meta fields that its protocol version requires.",
       "Send protocolVersion and clientCapabilities in _meta.", INVALID_PARAMS, 400),
    _R("wire.header-mismatch", "A header is missing or disagrees with the body.",
       "Send Mcp-Method, Mcp-Name and Mcp-Param-* as the body has them.", HEADER_MISMATCH, 400),
    _R("wire.unsupported-version", "This protocol version is not supported.",
       "Use one of the supported versions.", UNSUPPORTED_VERSION, 400),
    _R("wire.unknown-method", "The gateway does not know this method, so it does not pass it.",
       "Use a method of the negotiated protocol version.", METHOD_NOT_FOUND, 404),
    _R("wire.bad-content-type", "The body is not application/json.",
       "Send Content-Type: application/json.", INVALID_REQUEST, 415),
    _R("wire.not-acceptable", "The client does not accept the answer's media types.",
       "Accept application/json and text/event-stream.", INVALID_REQUEST, 406),
    _R("wire.bad-origin", "The Origin header is not allowed.",
       "Ask the operator to list it under listen.origins.", INVALID_REQUEST, 403),
    _R("wire.bad-host", "The Host header is not one of this gateway's names.",
       "Ask the operator to list it under listen.hosts.", INVALID_REQUEST, 421),
    _R("wire.bad-path", "There is no MCP endpoint at this path.",
       "Use /mcp or /mcp/<upstream>.", INVALID_REQUEST, 404),
    _R("wire.bad-http-method", "This endpoint does not take this HTTP method.",
       "Use POST.", INVALID_REQUEST, 405),
    _R("wire.not-http", "This is not HTTP/1.1.", "Send a well-formed HTTP request.",
       INVALID_REQUEST, 400),
    _R("wire.not-tls", "This is no TLS handshake that the gateway accepts.",
       "Use https:// with TLS 1.2 or newer.", INVALID_REQUEST, 400),
    _R("wire.headers-too-large", "The header section is larger than the gateway accepts.",
       "Send fewer or smaller headers.", INVALID_REQUEST, 431),
    # Credentials: step 3.
    _R("auth.missing", "No credential was sent.",
       "Send Authorization: Bearer with an API key or an access token.", REFUSED, 401),
    _R("auth.malformed", "The credentials are not sent as they must be.",
       "Send one Authorization: Bearer with an API key or an access token; Lockgate-Key beside a "
       "token only.", REFUSED, 400),
    _R("auth.invalid", "The credential is not valid.",
       "Sign in again, or ask the operator for a new key.", REFUSED, 401),
    _R("auth.mismatch", "The API key and the access token do not belong together.",
       "Send a key and a token of the same person and agent with a scope in common, or only one.",
       REFUSED, 401),
    _R("auth.inactive", "The person behind this credential is not active here.",
       "Ask the operator: your account is blocked, or no directory knows it.", REFUSED, 401),
    _R("auth.throttled", "Too many wrong credentials came from this address.",
       "Wait a minute, then send the right one.", REFUSED, 429),
    _R("auth.in-query", "Credentials in the URL are not accepted.",
       "Send it in the Authorization header.", REFUSED, 400),
    _R("auth.certificate", "The client certificate is not accepted here.",
       "Use a valid certificate that the operator has registered, or none.", REFUSED, 401),
    _R("auth.forwarded", "A header that only a trusted proxy may send cannot be accepted.",
       "Leave out headers about client certificates; tell the operator if a proxy sends them.",
       REFUSED, 400),
    _R("auth.proof", "The proof that the sender holds the token's key is not valid.",
       "Make a new DPoP proof for exactly this request.", REFUSED, 401),
    _R("auth.nonce", "The proof must hold a nonce of this gateway.",
       "Make the DPoP proof again with the DPoP-Nonce of this answer.", REFUSED, 401),
    _R("auth.scope", "The token was not issued for everything that is needed here.",
       "Sign in again and ask for the scopes named in WWW-Authenticate.", REFUSED, 403),
    _R("auth.logout", "This is no logout token for this gateway.",
       "Send a logout token of a configured issuer as a form.", REFUSED, 400),
    _R("auth.unknown", "It could not be established whether the credential is valid.",
       "Try again; the operator sees why in the gateway's log.", REFUSED, 503),
    # State that belongs to a principal.
    _R("session.missing", "A session id is required after initialize.",
       "Send Mcp-Session-Id.", INVALID_REQUEST, 400),
    _R("session.unknown", "The session is unknown, ended or not yours.",
       "Initialize again.", INVALID_REQUEST, 404),
    _R("stream.gone", "What followed this event is not kept here, or is not yours.",
       "Open a new stream without Last-Event-ID, and list again.", INVALID_REQUEST, 410),
    _R("stream.elsewhere", "This stream is kept by a worker that cannot be reached.",
       "Try again, or open a new stream without Last-Event-ID.", INVALID_REQUEST, 503),
    _R("stream.too-many", "Too many open streams.", "Close a stream, then try again.",
       REFUSED, 429),
    _R("subscription.too-many", "Too many subscriptions.", "Unsubscribe from something first.",
       INVALID_PARAMS, 200),
    _R("cursor.invalid", "The cursor is unknown, outdated or not yours.",
       "List again from the start.", INVALID_PARAMS, 200),
    # Names: step 4.
    _R("resolve.unknown-tool", "There is no tool of this name here.",
       "List the tools again.", INVALID_PARAMS, 200),
    _R("resolve.unknown-prompt", "There is no prompt of this name here.",
       "List the prompts again.", INVALID_PARAMS, 200),
    _R("resolve.unknown-resource", "There is no such resource here.",
       "List the resources again.", INVALID_PARAMS, 200),
    _R("resolve.no-catalogue", "This upstream's tools could not be listed, so none can be called.",
       "Try again; the operator sees why with lockgate doctor."),
    # Judgement: steps 5 to 10.
    _R("policy.denied", "Policy does not permit this.",
       "Ask the policy's owner, quoting the call id."),
    _R("policy.no-rule", "No policy permits this.",
       "Ask the policy's owner, quoting the call id."),
    _R("policy.error", "The policy could not be evaluated, so nothing is permitted.",
       "Tell the operator, quoting the call id."),
    _R("policy.argument-type", "An argument that policy needs has another type or spelling.",
       "Send the argument as the tool's schema says."),
    _R("quota.exceeded", "Too many calls in a short time.", "Wait, then try again."),
    _R("quota.messages", "Too many messages, or large ones at once.", "Wait, then try again.",
       REFUSED, 429),
    _R("quota.concurrency", "Too many calls at once.", "Wait for a running call to finish."),
    _R("quota.unknown", "The rate limit could not be checked.", "Try again later."),
    _R("schema.invalid", "The arguments do not match the tool's input schema.",
       "Correct the arguments and call again."),
    _R("schema.unusable", "The tool's input schema is unusable, so arguments cannot be checked.",
       "Tell the operator: the upstream publishes a broken schema."),
    _R("approval.needed", "A person must approve this call first.",
       "Tell the user that it waits for approval. Call again with identical arguments later, or "
       "call lockgate_result with the handle."),
    _R("approval.running", "This call was approved and is running.",
       "Call again with identical arguments, or call lockgate_result with the handle."),
    _R("approval.denied", "A person was asked about this call and said no.",
       "Do not try again; tell the user."),
    _R("approval.vetoed", "A person stopped this call.", "Do not try again; tell the user."),
    _R("approval.expired", "Nobody answered in time, or it was not used in time.",
       "Call again to ask anew."),
    _R("approval.cancelled", "Whoever asked took the question back.", "Call again to ask anew."),
    _R("approval.superseded", "What was asked for has changed since, or another question replaced "
       "it.", "Call again to ask anew."),
    _R("approval.revoked", "The approval was taken back before it was used.",
       "Call again to ask anew."),
    _R("approval.interrupted", "It was approved and begun, and nobody can say whether it ran to "
       "its end.", "Look whether it was done before you ask again."),
    _R("approval.gone", "This question is answered already, or its time is over."),
    _R("approval.other-digest", "What you answer is not what is asked.", "Look at it again."),
    _R("approval.own", "Nobody approves what they asked for themselves.", "Ask somebody else."),
    _R("approval.not-asked", "This is not yours to answer."),
    _R("approval.voted", "You have said yes already; it takes another person too."),
    _R("approval.unknown", "It could not be established whether this call was approved.",
       "Try again later."),
    _R("approval.too-many", "Too many of your calls wait for a person already.",
       "Wait until they are answered."),
    _R("approval.used", "The approval was used or withdrawn meanwhile.",
       "Ask for a new approval."),
    _R("obligation.cannot", "Policy demands a change that the gateway cannot make.",
       "Tell the operator, quoting the call id."),
    _R("pipeline.no-controls", "No control judged this."),
    _R("pipeline.control-silent", "A required control gave no answer."),
    _R("pipeline.control-failed", "A required control failed."),
    _R("pipeline.rewrites", "The call kept changing while it was judged."),
    _R("pipeline.failed", "The gateway failed while handling this; nothing was let through.",
       "Tell the operator, quoting the call id.", INTERNAL, 500),
    _R("journal.unavailable", "The call could not be recorded, so it was not made.",
       "Try again; the operator sees why in the gateway's log.", INTERNAL, 503),
    _R("journal.outcome-withheld",
       "The call was made, but its outcome could not be recorded, so its result is withheld.",
       "Do not repeat the call; tell the operator, quoting the call id."),
    _R("permit.other-call", "A permit was used for another call."),
    _R("gateway.stopping", "The gateway is shutting down.", "Try again shortly.", REFUSED, 503),
    # Upstreams: step 11.
    _R("upstream.unreachable", "The upstream server cannot be reached.", "Try again later."),
    _R("upstream.timeout", "The upstream server did not answer in time.", "Try again later."),
    _R("upstream.crashed", "The upstream server ended during this call.", "Try again later."),
    _R("upstream.backing-off", "The upstream server keeps failing and is being rested.",
       "Try again later."),
    _R("upstream.garbage", "The upstream server sent something that is not valid MCP.",
       "Tell the operator."),
    _R("upstream.credential", "The upstream server refused the gateway's own credential.",
       "Tell the operator."),
    _R("upstream.secret", "The gateway cannot read the credential that this upstream needs.",
       "Tell the operator, who sees why with lockgate secrets status."),
    _R("upstream.connect", "The upstream needs an account of yours, which is not connected here.",
       "Connect it in a browser, then try again."),
    _R("upstream.too-large", "The upstream's answer is larger than the gateway lets through.",
       "Ask for less, or ask the operator to raise limits.reply_bytes."),
    _R("upstream.needs-input", "The upstream asked the client for input, which is not passed on.",
       "Use a tool that needs no further input."),
    _R("upstream.unavailable", "The upstream is not configured here any more.",
       "List the tools again."),
    _R("upstream.error", "The upstream answered with an error."),
    _R("call.cancelled", "The client cancelled the call."),
    _R("call.revoked", "The caller was let in no more while the call ran; its upstream may have "
       "acted."),
    # What an upstream asks of the client.
    _R("ask.declared", "The client takes this kind of question."),
    _R("ask.not-needed", "This is no question to the client."),
    _R("ask.put", "The question was handed to the client; its answer comes with a new call."),
    _R("ask.unknown-method", "The gateway does not pass this request on to clients.",
       "Ask by elicitation, sampling or roots.", METHOD_NOT_FOUND),
    _R("ask.not-declared", "The client did not declare that it takes this.",
       "Use a client that declares the capability.", METHOD_NOT_FOUND),
    _R("ask.other-era",
       "Sampling and roots are not passed between a client and a server of different eras.",
       "Use a client of the server's protocol era, or a server that elicits.", METHOD_NOT_FOUND),
    _R("ask.shape", "The question does not have the shape its method requires.",
       "Tell the operator.", INVALID_PARAMS),
    _R("ask.too-many", "This call has asked its client too often.", "Ask for more at once."),
    _R("ask.nobody", "There is no client here that could be asked.",
       "Call again from a client that stays connected and takes event streams."),
    _R("ask.expired", "Nobody answered the question in time.", "Call again."),
    _R("ask.refused", "What the upstream asked of the client may not be asked.",
       "Ask the operator to permit elicitation by this upstream."),
    # Calls that go on when the client has answered.
    _R("round.invalid", "The requestState is not one that belongs to this call.",
       "Send back the requestState as it came, with the same call, or start again without.",
       INVALID_PARAMS, 400),
    _R("round.gone", "The call that waited for this answer is not there any more.",
       "Start the call again, without requestState.", INVALID_PARAMS, 400),
    _R("round.too-many", "The upstream kept asking for more input.", "Start again."),
    # Tool calls that go on after their answer (SEP-2663).
    _R("task.unknown", "The task is unknown here, or not yours.",
       "Use the taskId as it came, at the endpoint it came from.", INVALID_PARAMS, 400),
    _R("task.not-declared", "The request does not declare the extension that tasks belong to.",
       "Declare io.modelcontextprotocol/tasks in the request's clientCapabilities.",
       MISSING_CAPABILITY, 400),
    _R("task.other-era", "This upstream does not speak the protocol era that tasks belong to.",
       "Call the tool again; its answer will not be a task."),
    # Results: step 12.
    _R("reply.shape", "The upstream's answer does not have the shape its method requires.",
       "Tell the operator."),
    _R("reply.unknown-type", "The upstream's answer is of a kind the gateway does not know.",
       "Tell the operator."),
    # Connecting an account in a browser.
    _R("connect.link", "This link is not valid any more.",
       "Ask for a new one: call the tool again.", REFUSED, 400),
    _R("connect.used", "This link was used before.", "Ask for a new one: call the tool again.",
       REFUSED, 400),
    _R("connect.other-person", "This link is for another person.",
       "Use only links that your own client showed you.", REFUSED, 403),
    _R("connect.signed-out", "Nobody is signed in in this browser any more.",
       "Call the tool again, and open the new link.", REFUSED, 403),
    _R("connect.other-browser", "This was begun in another browser, or not from this page.",
       "Open the link again, and go on in the same browser.", REFUSED, 403),
    _R("connect.mix-up", "The answer does not come from the server that was asked.",
       "Do not try again; tell the operator.", REFUSED, 400),
    _R("connect.declined", "The upstream's authorization server did not agree.",
       "Try again, and permit the access there.", REFUSED, 400),
    _R("connect.failed", "The account could not be connected.",
       "Try again later; the operator sees why in the gateway's log.", REFUSED, 502),
    # Records that are not about one call.
    _R("account.connected", "A person connected an account."),
    _R("session.opened", "A session was opened."),
    _R("session.closed", "A session was closed."),
    _R("tool.changed", "An upstream defines a tool otherwise than before.",
       "Compare the definitions before you trust it again."),
    _R("admin.changed", "An operator changed the gateway."),
    _R("admin.recovery", "A recovery code was made, used or refused."),
    _R("console.sign-in", "A sign-in to the console, or the end of one, was not good.",
       "Begin again at /console/; the gateway's log says why.", REFUSED, 400),
    _R("console.form", "A form did not come from a page of this session.",
       "Go back to /console/ and do it again.", REFUSED, 403),
)  # fmt: skip
