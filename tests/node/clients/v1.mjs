// The first TypeScript SDK (`@modelcontextprotocol/sdk`), which knows the legacy era only.
import { createRequire } from "node:module";
import { answersOf, CAPABILITIES, run } from "./job.mjs";

const require = createRequire(new URL("../../../.node/package.json", import.meta.url));
const sdk = (name) => require(`@modelcontextprotocol/sdk/${name}.js`);
const { Client } = sdk("client/index");
const { StdioClientTransport } = sdk("client/stdio");
const { StreamableHTTPClientTransport } = sdk("client/streamableHttp");
const types = sdk("types");

await run(async (job, person) => {
  const capabilities = job.capabilities ?? CAPABILITIES;
  const client = new Client(
    { name: "typescript-v1", version: "1" },
    {
      capabilities,
      listChanged: { tools: { onChanged: () => person.hear("tools") } },
    },
  );
  const asked = {
    "elicitation/create": types.ElicitRequestSchema,
    "sampling/createMessage": types.CreateMessageRequestSchema,
    "roots/list": types.ListRootsRequestSchema,
  };
  for (const [method, answer] of answersOf(capabilities))
    client.setRequestHandler(asked[method], (request) => answer(person, request.params));
  client.setNotificationHandler(types.LoggingMessageNotificationSchema, ({ params }) => {
    person.logged.push(params.data);
  });
  client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, ({ params }) =>
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
    modern: false,
    call: (name, given = {}, options = {}) =>
      client.callTool({ name, arguments: given }, undefined, options),
  };
});
