// A real OpenID provider (npm `oidc-provider`) for tests: see tests/support/oidc_provider.py.
//
// The first line on stdin is the configuration; each further line is an order, answered by one line
// on stdout. It ends with its stdin. Everything it knows outlives `rotate`, `down` and `up`.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../.node/package.json", import.meta.url));
const { Provider, errors } = require("oidc-provider");

// stdout is for answers only; the library tells things of its own there.
console.info = console.log = console.error;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const given = JSON.parse((await lines.next()).value);
const settings = { accessTokenSeconds: 300, alg: "RS256", opaque: [], dpopNonce: false,
                   rotateRefreshTokens: true, deviceSeconds: 600, ...given.settings };
const users = new Map(Object.entries(given.users));
const clients = new Map(given.clients.map((one) => [one.client_id, one]));
const store = new Map();
const log = [];
const cookieKeys = [randomBytes(16).toString("hex")];
const nonceSecret = randomBytes(32);
let keys = [];

// One entry a thing: `Model:id`. What belongs to a grant names it.
class Adapter {
  constructor(model) { this.model = model; }
  async find(id) {
    if (this.model === "Client") return clients.get(id);
    const found = store.get(`${this.model}:${id}`);
    return found && (found.ends > Date.now() ? found.what : undefined);
  }
  async upsert(id, what, seconds) {
    const ends = seconds === undefined ? Infinity : Date.now() + seconds * 1000;
    store.set(`${this.model}:${id}`, { what, ends, id });
  }
  async consume(id) { store.get(`${this.model}:${id}`).what.consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { store.delete(`${this.model}:${id}`); }
  async #by(field, value) {
    for (const [name, { what }] of store)
      if (name.startsWith(`${this.model}:`) && what[field] === value) return what;
  }
  findByUid(uid) { return this.#by("uid", uid); }
  findByUserCode(code) { return this.#by("userCode", code); }
  async revokeByGrantId(grant) {
    for (const [name, { what }] of store) if (what.grantId === grant) store.delete(name);
  }
}

function newKeys() {
  const kid = randomBytes(4).toString("hex");
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  return [
    { ...rsa.export({ format: "jwk" }), kid: `rsa-${kid}`, alg: "RS256", use: "sig" },
    { ...ec.export({ format: "jwk" }), kid: `ec-${kid}`, alg: "ES256", use: "sig" },
  ];
}

const claimsOf = (sub) => ({ sub, ...users.get(sub) });

function configuration() {
  return {
    adapter: Adapter,
    jwks: { keys },
    cookies: { keys: cookieKeys },
    scopes: ["openid", "offline_access", "profile", "groups"],
    claims: { openid: ["sub", "acr", "auth_time", "amr"], groups: ["groups"], profile: ["name"] },
    conformIdTokenClaims: false,
    acrValues: ["urn:acr:password", "urn:acr:mfa"],
    // Its own dispatcher refuses loopback addresses, where tests listen.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    findAccount: (_, sub) =>
      users.has(sub) ? { accountId: sub, claims: () => claimsOf(sub) } : undefined,
    clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none",
                        ...(given.tls ? ["self_signed_tls_client_auth"] : [])],
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    rotateRefreshToken: () => settings.rotateRefreshTokens,
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    expiresWithSession: () => false,
    extraTokenClaims: async (ctx, token) => {
      const { AuthorizationCode, RefreshToken, DeviceCode } = ctx.oidc.entities;
      const source = AuthorizationCode ?? RefreshToken ?? DeviceCode;
      if (!token.accountId) return undefined;
      const { groups, acr } = claimsOf(token.accountId);
      return { groups, acr: source?.acr ?? acr, auth_time: source?.authTime, sid: source?.sid };
    },
    ttl: {
      AccessToken: () => settings.accessTokenSeconds,
      ClientCredentials: () => settings.accessTokenSeconds,
      DeviceCode: () => settings.deviceSeconds,
      AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 600, RefreshToken: 86400,
      Session: 86400,
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: { enabled: true, nonceSecret, requireNonce: () => settings.dpopNonce },
      introspection: { enabled: true, allowedPolicy: () => true },
      mTLS: {
        enabled: Boolean(given.tls), certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: Boolean(given.tls),
        getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        defaultResource: (_, __, oneOf) => oneOf,
        getResourceServerInfo: (_, resource) => {
          if (given.resources && !given.resources.includes(resource))
            throw new errors.InvalidTarget();
          const opaque = settings.opaque.includes(resource);
          return {
            scope: given.scopes.join(" "), audience: resource,
            accessTokenFormat: opaque ? "opaque" : "jwt",
            accessTokenTTL: settings.accessTokenSeconds, jwt: { sign: { alg: settings.alg } },
          };
        },
      },
      revocation: { enabled: true, allowedPolicy: () => true },
      rpInitiatedLogout: { enabled: true },
    },
  };
}

let issuer, provider, handle;

function make() {
  provider = new Provider(issuer, configuration());
  provider.use(async (ctx, next) => {
    const began = Date.now();
    await next();
    const { method, path, status } = ctx;
    const said = ctx.oidc?.params ?? {};
    const { grant_type, client_id, resource, scope, token_type_hint } = said;
    log.push({
      method, path, status, began, route: ctx.oidc?.route ?? "", grant_type, resource, scope,
      client_id: client_id ?? ctx.oidc?.client?.clientId, token_type_hint,
      error: ctx.body?.error, dpop: Boolean(ctx.headers.dpop),
    });
  });
  handle = provider.callback();
}

// One form asks for everything; posting it signs in and consents.
async function interact(request, response) {
  const { params, session, uid, prompt } = await provider.interactionDetails(request, response);
  if (request.method === "GET") {
    const fields = session?.accountId ? "" : '<input name="login"><input name="password">';
    response.setHeader("content-type", "text/html");
    response.end(`<form method="post" action="/interaction/${uid}">${fields}<button>Go on</button></form>`);
    return;
  }
  const body = [];
  for await (const part of request) body.push(part);
  const form = new URLSearchParams(Buffer.concat(body).toString());
  const who = session?.accountId ?? form.get("login");
  const known = users.has(who) && (session?.accountId || form.get("password") === "password");
  if (!known || form.get("refuse")) {
    await provider.interactionFinished(request, response, { error: "access_denied" });
    return;
  }
  const grant = new provider.Grant({ accountId: who, clientId: params.client_id });
  grant.addOIDCScope("openid offline_access profile groups");
  for (const resource of [params.resource ?? []].flat())
    grant.addResourceScope(resource, given.scopes.join(" "));
  const acr = form.get("acr") || users.get(who).acr;
  const login = { accountId: who, acr, amr: acr === "urn:acr:mfa" ? ["pwd", "otp"] : ["pwd"] };
  const result = { consent: { grantId: await grant.save() } };
  if (prompt.name === "login" || !session) result.login = login;
  await provider.interactionFinished(request, response, result);
}

function serve(request, response) {
  if (!request.url.startsWith("/interaction/")) return handle(request, response);
  return interact(request, response).catch((error) => {
    response.statusCode = 400;
    response.end(String(error));
  });
}

function grants(user, client) {
  return [...store].filter(([name, { what }]) => name.startsWith("Grant:") &&
    what.accountId === user && (!client || what.clientId === client));
}

const orders = {
  rotate({ keep }) {
    keys = [...newKeys(), ...(keep ? keys : [])];
    make();
    return keys[0].kid;
  },
  async down() {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  },
  async up() {
    await once(server.listen(port, "127.0.0.1"), "listening");
  },
  set(changes) { Object.assign(settings, changes); },
  user({ name, claims }) { claims === null ? users.delete(name) : users.set(name, claims); },
  client({ metadata }) { clients.set(metadata.client_id, metadata); },
  async revoke({ user, client }) {
    const found = grants(user, client);
    for (const [name, { id }] of found) {
      store.delete(name);
      await new Adapter().revokeByGrantId(id);
    }
    return found.length;
  },
  async logout({ user }) {
    let told = 0;
    const reached = new Set(grants(user).map(([, { what }]) => what.clientId));
    for (const [name, { what }] of [...store])
      if (name.startsWith("Session:") && what.accountId === user) store.delete(name);
    for (const [id, metadata] of clients) {
      if (!metadata.backchannel_logout_uri || !(reached.has(id) || metadata.always_told)) continue;
      await (await provider.Client.find(id)).backchannelLogout(user, `sid-of-${user}`);
      told += 1;
    }
    return told;
  },
  log: () => log,
};

const tls = given.tls && {
  cert: readFileSync(given.tls.cert), key: readFileSync(given.tls.key),
  requestCert: true, rejectUnauthorized: false,
};
const server = tls ? https.createServer(tls, serve) : http.createServer(serve);
await once(server.listen(0, "127.0.0.1"), "listening");
const { port } = server.address();
issuer = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
keys = newKeys();
make();
process.stdout.write(`${JSON.stringify({ done: issuer })}\n`);

for await (const line of lines) {
  const { order, ...rest } = JSON.parse(line);
  let said;
  try {
    said = { done: (await orders[order](rest)) ?? null };
  } catch (error) {
    said = { failed: `${error} ${error.cause ?? ""}` };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
process.exit(0);
