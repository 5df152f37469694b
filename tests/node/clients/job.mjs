// One job on stdin, one line of JSON on stdout: what a client of the public TypeScript SDK can do.
//
// A job names a way (`url` and `headers`, or `command` and `args`), a `mode` of that client, and the
// features to try, in order. Each client fills in `Client` below; every feature is tried once.
import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";

const WATCHED = "test://watched-resource";
const SECONDS = 15;

/** What the person at this client was asked and told. */
export class Person {
  asked = [];
  logged = [];
  heard = [];
  #waiting = [];

  hear(what) {
    this.heard.push(what);
    for (const look of this.#waiting) look();
  }

  /** Until `what` was heard. */
  heardOf(what) {
    return new Promise((resolve) => {
      const look = () => this.heard.includes(what) && resolve();
      this.#waiting.push(look);
      look();
    });
  }
}

export const said = (result) =>
  result.content.map((block) => block.text ?? block.type).join("\n");

// `it` is what `open` returns: { client, person, modern, call(name, given, options, more) }.
const FEATURES = {
  async list(it) {
    return (await it.client.listTools()).tools.map((tool) => tool.name);
  },
  async "tool call"(it) {
    return said(await it.call("test_simple_text"));
  },
  async elicitation(it) {
    return said(await it.call("test_elicitation", { message: "Who?" }));
  },
  async "held call"(it) {
    const result = await it.call("get_patient", { patient_id: "p-1" });
    return { text: said(result), handle: result._meta?.["lockgate/approval"] ?? null };
  },
  async sampling(it) {
    return said(await it.call("test_sampling", { prompt: "Capital?" }));
  },
  async roots(it) {
    return said(await it.call("test_input_required_result_list_roots"));
  },
  async progress(it) {
    const seen = [];
    await it.call("test_tool_with_progress", {}, { onprogress: (at) => seen.push(at.progress) });
    return seen;
  },
  async "log messages"(it) {
    if (!it.modern) await it.client.setLoggingLevel("info");
    const wish = { _meta: { "io.modelcontextprotocol/logLevel": "info" } };
    await it.call("test_tool_with_logging", {}, {}, it.modern ? wish : {});
    return it.person.logged;
  },
  async cancellation(it) {
    const mark = randomUUID();
    const ending = new AbortController();
    const options = { onprogress: () => ending.abort("enough"), signal: ending.signal };
    const ended = await it.call("test_wait", { mark }, options).then(
      () => "answered",
      () => "cancelled",
    );
    while (said(await it.call("test_was_cancelled", { mark })) !== "yes");
    return ended;
  },
  async "list changed"(it) {
    await it.call("test_trigger_tool_change");
    await it.person.heardOf("tools");
    return "heard";
  },
  async "resource subscription"(it) {
    if (it.modern) await it.client.listen({ resourceSubscriptions: [WATCHED] });
    else await it.client.subscribeResource({ uri: WATCHED });
    await it.call("test_trigger_resource_change", { uri: WATCHED });
    await it.person.heardOf(WATCHED);
    return "heard";
  },
};

/** Rejects when it takes too long. */
function inTime(going) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${SECONDS} s`)), SECONDS * 1000);
  });
  return Promise.race([going, late]).finally(() => clearTimeout(timer));
}

/** Runs the job with the client that `open(job, person)` makes, and says what came of it. */
export async function run(open) {
  const job = JSON.parse(await text(process.stdin));
  const person = new Person();
  const it = await open(job, person);
  const found = {};
  for (const feature of job.features) {
    person.asked.length = 0;
    found[feature] = await inTime(FEATURES[feature](it)).then(
      (came) => ({ came, asked: [...person.asked] }),
      (error) => ({ error: String(error.message), asked: [...person.asked] }),
    );
  }
  process.stdout.write(`${JSON.stringify({ era: it.modern ? "modern" : "legacy", found })}\n`);
  await it.client.close();
  process.exit();
}

/** Capabilities, unless the job names others, and answers: yes to everything. */
export const CAPABILITIES = { elicitation: {}, sampling: {}, roots: {} };
const ANSWERS = {
  "elicitation/create": (person, params) => {
    person.asked.push(params.url ?? params.message);
    if (params.mode === "url") return { action: "accept" };
    return { action: "accept", content: { username: "a", email: "a@b.c" } };
  },
  "sampling/createMessage": (person, params) => {
    person.asked.push(String(params.maxTokens));
    return { role: "assistant", content: { type: "text", text: "Paris" }, model: "m" };
  },
  "roots/list": (person) => {
    person.asked.push("roots");
    return { roots: [{ uri: "file:///work" }] };
  },
};

/** Method and answer of what a client with these capabilities may be asked. */
export const answersOf = (capabilities) =>
  Object.entries(ANSWERS).filter(([method]) => method.split("/")[0] in capabilities);
