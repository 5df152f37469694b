// The second TypeScript SDK (`@modelcontextprotocol/client`): `legacy` by default, or `auto`, or
// a version that it insists on.
import { createRequire } from "node:module";
import { answersOf, CAPABILITIES, run } from "./job.mjs";

const require = createRequire(new URL("../../../.node/package.json", import.meta.url));
const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");

const MODES = { default: undefined, auto: { mode: "auto" } };

await run(async (job, person) => {
  const capabilities = job.capabilities ?? CAPABILITIES;
  const client = new Client(
    { name: "typescript-v2", version: "2" },
    {
      capabilities,
      listChanged: { tools: { onChanged: () => person.hear("tools") } },
      versionNegotiation: job.mode in MODES ? MODES[job.mode] : { mode: { pin: job.mode } },
    },
  );
  for (const [method, answer] of answersOf(capabilities))
    client.setRequestHandler(method, (request) => answer(person, request.params));
  client.setNotificationHandler("notifications/message", ({ params }) => {
    person.logged.push(params.data);
  });
  client.setNotificationHandler("notifications/resources/updated", ({ params }) =>
    person.hear(params.uri),
  );
  const requestInit = { headers: job.headers };
  await client.connect(
    job.url
      ? new StreamableHTTPClientTransport(new URL(job.url), { requestInit })
      : new StdioClientTransport({ command: job.command, args: job.args, env: job.env }),
  );
  return {
    client,
    person,
    modern: client.getProtocolEra() === "modern",
    call: (name, given = {}, options = {}, more = {}) =>
      client.callTool({ name, arguments: given, ...more }, options),
  };
});
