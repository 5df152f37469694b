// An OpenID provider (npm `oidc-provider`) with two grants that it does not bring along: token exchange
// (RFC 8693), also for ID-JAGs, and the JWT bearer grant (RFC 7523) that takes those of another one.
//
// The first line on stdin is the configuration {client, secret, trusts}; it prints its issuer, then
// for each further line `subject <who>` an ID token of that person for the client, and for each
// `subject <who> <resource>` an access token for that resource.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../.node/package.json", import.meta.url));
const { Provider, errors } = require("oidc-provider");
const { SignJWT, jwtVerify, createRemoteJWKSet, importJWK } = require("jose");

const TYPE = "urn:ietf:params:oauth:token-type:";
const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const given = JSON.parse((await lines.next()).value);

const server = http.createServer((request, response) => handle(request, response));
await once(server.listen(0, "127.0.0.1"), "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;
const jwk = { ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }),
              kid: "k", alg: "RS256", use: "sig" };
const key = await importJWK(jwk, "RS256");
const sign = (claims, typ) => new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "k", typ })
  .setIssuer(issuer).setIssuedAt().setExpirationTime("5m").setJti(randomUUID()).sign(key);
const own = createRemoteJWKSet(new URL(`${issuer}/jwks`));
const theirs = given.trusts && createRemoteJWKSet(new URL(`${given.trusts}/jwks`));

const provider = new Provider(issuer, {
  jwks: { keys: [jwk] },
  clients: [{ client_id: given.client, client_secret: given.secret, redirect_uris: [],
              response_types: [], grant_types: [EXCHANGE, BEARER] }],
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: "mcp:tools", audience: resource, accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
});
provider.on("server_error", (_, error) => process.stderr.write(`${error.stack}\n`));
const handle = provider.callback();

async function issue(ctx, sub, resource, scope) {
  const { client } = ctx.oidc;
  const token = new provider.AccessToken({ client, accountId: sub, scope, gty: "exchange" });
  token.resourceServer = new provider.ResourceServer(resource, {
    scope: "mcp:tools", audience: resource, accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } },
  });
  return token.save();
}

async function verified(jwt, keys, options) {
  try {
    return (await jwtVerify(jwt, keys, options)).payload;
  } catch {
    throw new errors.InvalidGrant("the token does not verify");
  }
}

const parameters = ["subject_token", "subject_token_type", "requested_token_type", "resource",
                    "audience", "scope", "assertion"];
provider.registerGrantType(EXCHANGE, async (ctx) => {
  const said = ctx.oidc.params;
  const shown = said.subject_token_type.replace(TYPE, "");
  if (!["id_token", "access_token"].includes(shown)) throw new errors.InvalidRequest("subject type");
  const demanded = shown === "id_token" ? { issuer, audience: given.client } : { issuer, typ: "at+jwt" };
  const { sub } = await verified(said.subject_token, own, demanded);
  if (said.requested_token_type === `${TYPE}id-jag`) {
    const claims = { sub, aud: said.audience, resource: said.resource, client_id: given.client,
                     scope: said.scope };
    ctx.body = { access_token: await sign(claims, "oauth-id-jag+jwt"), token_type: "N_A",
                 issued_token_type: `${TYPE}id-jag`, expires_in: 300 };
  } else {
    ctx.body = { access_token: await issue(ctx, sub, said.resource, said.scope), expires_in: 300,
                 token_type: "Bearer", issued_token_type: `${TYPE}access_token` };
  }
}, parameters);
provider.registerGrantType(BEARER, async (ctx) => {
  const said = ctx.oidc.params;
  const options = { issuer: given.trusts, audience: issuer, typ: "oauth-id-jag+jwt" };
  const grant = await verified(said.assertion, theirs, options);
  if (grant.client_id !== ctx.oidc.client.clientId || grant.resource !== said.resource)
    throw new errors.InvalidGrant("not for this client or resource");
  ctx.body = { access_token: await issue(ctx, grant.sub, said.resource, said.scope),
               token_type: "Bearer", expires_in: 300 };
}, parameters);

process.stdout.write(`{"done":${JSON.stringify(issuer)}}\n`);
for await (const line of lines) {
  const [, who, resource] = line.split(" ");
  const token = resource
    ? await sign({ sub: who, aud: resource, client_id: "desk", scope: "mcp:tools" }, "at+jwt")
    : await sign({ sub: who, aud: given.client }, "JWT");
  process.stdout.write(`{"done":${JSON.stringify(token)}}\n`);
}
process.exit(0);
