// The demo's identity provider: npm's `oidc-provider` with the clinic's people in it.
//
//     node provider.mjs <folder node_modules that has oidc-provider>
//
// The first line on stdin is the configuration (see provider.py). Prints its issuer; ends with its stdin.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// stdout is for the issuer only; the library tells things of its own there.
console.info = console.log = console.warn = console.error;

const library = createRequire(`${process.argv[2]}/`).resolve("oidc-provider");
const { Provider, errors } = await import(pathToFileURL(library));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const given = JSON.parse((await lines.next()).value);

const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
const server = http.createServer((request, response) => serve(request, response));
await once(server.listen(0, "127.0.0.1"), "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  jwks: { keys: [{ ...key, kid: "demo", alg: "ES256", use: "sig" }] },
  cookies: { keys: [randomBytes(16).toString("hex")] },
  scopes: ["openid"],
  clients: [{
    client_id: given.client, application_type: "native", token_endpoint_auth_method: "none",
    redirect_uris: ["http://127.0.0.1/callback"], grant_types: ["authorization_code"],
    id_token_signed_response_alg: "ES256",
  }],
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  extraTokenClaims: (_, token) => ({ groups: given.people[token.accountId]?.groups }),
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => {
        if (resource !== given.resource) throw new errors.InvalidTarget();
        return { scope: given.scope, audience: resource, accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } };
      },
    },
  },
});
provider.on("server_error", (_, error) => console.error(error.stack));
const handle = provider.callback();

// One form for both: it signs in, and lets the client act.
async function interact(request, response) {
  const { params, uid } = await provider.interactionDetails(request, response);
  if (request.method === "GET") {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><title>The clinic</title><p>${given.client} asks to act for you at ${given.resource}.
<form method="post" action="/interaction/${uid}"><label>Name <input name="login"></label>
<label>Password <input name="password" type="password"></label> <button>Sign in and allow it</button></form>`);
    return;
  }
  const body = [];
  for await (const part of request) body.push(part);
  const form = new URLSearchParams(Buffer.concat(body).toString());
  const login = form.get("login");
  const known = Object.hasOwn(given.people, login) && given.people[login].password === form.get("password");
  if (!known) return provider.interactionFinished(request, response, { error: "access_denied" });
  const grant = new provider.Grant({ accountId: login, clientId: params.client_id });
  grant.addOIDCScope("openid");
  grant.addResourceScope(given.resource, given.scope);
  const result = { login: { accountId: login }, consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result);
}

function serve(request, response) {
  if (!request.url.startsWith("/interaction/")) return handle(request, response);
  return interact(request, response).catch((error) => {
    console.error(error.stack);
    response.statusCode = 400;
    response.end("This sign-in is not known here, or not any more.");
  });
}

process.stdout.write(`${issuer}\n`);
await lines.next();
process.exit(0);
