// A strict server for dynamic registration (RFC 7591 and 7592) that can lose answers on demand.
//
// Environment: PORT, TLS_CERT, TLS_KEY, ISSUER, INITIAL_ACCESS_TOKEN ("" lets anybody register).
// Beside the provider: GET /_test/clients counts and names what is registered; POST /_test/drop/N drops the
// connection after the commit of the Nth registration request from now, POST /_test/rotate/on|off,
// POST /_test/remove/CLIENT as an admin does it, POST /_test/admit/TOKEN takes one more initial access token.
// POST /_test/lifetime/SECONDS ends the secrets of clients to come (0: never). oidc-provider tells such an end and
// heeds it, and an update changes nothing about it; with POST /_test/renew/on an update gives another secret and
// another end, which RFC 7592 leaves to servers.

import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:https';
import { Provider } from 'oidc-provider';

const stores = new Map();
const admitted = new Set();
let dropIn = 0;
let rotate = true;
let lifetime = 0;
let renew = false;

class Memory {
  constructor(name) {
    if (!stores.has(name)) stores.set(name, new Map());
    this.held = stores.get(name);
  }
  async upsert(id, payload) { this.held.set(id, payload); }
  async find(id) { return this.held.get(id); }
  async findByUid(uid) { return [...this.held.values()].find((one) => one.uid === uid); }
  async findByUserCode() { return undefined; }
  async consume(id) { this.held.get(id).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { this.held.delete(id); }
  async revokeByGrantId() {}
}

function limit(ctx) {
  const renewed = ctx.method === 'PUT' && ctx.status === 200 && renew;
  if (!lifetime || !(renewed || (ctx.method === 'POST' && ctx.status === 201))) return;
  const held = stores.get('Client').get(ctx.body.client_id);
  const changed = { client_secret_expires_at: Math.floor(Date.now() / 1000) + lifetime };
  if (renewed) changed.client_secret = randomBytes(48).toString('base64url');
  Object.assign(held, changed);
  ctx.body = { ...ctx.body, ...changed };
}

const provider = new Provider(process.env.ISSUER, {
  adapter: Memory,
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true, initialAccessToken: process.env.INITIAL_ACCESS_TOKEN || false },
    registrationManagement: { enabled: true, rotateRegistrationAccessToken: () => rotate },
  },
});

provider.use(async (ctx, next) => {
  const [, root, what, value] = ctx.path.split('/');
  if (root !== '_test') {
    const token = ctx.get('authorization').replace('Bearer ', '');
    if (admitted.has(token)) ctx.req.headers.authorization = `Bearer ${process.env.INITIAL_ACCESS_TOKEN}`;
    await next();
    if (root === 'reg') limit(ctx);
    if (root === 'reg' && dropIn > 0 && (dropIn -= 1) === 0) ctx.req.socket.destroy();
    return;
  }
  if (what === 'drop') dropIn = Number(value);
  if (what === 'admit') admitted.add(value);
  if (what === 'remove') stores.get('Client')?.delete(value);
  if (what === 'rotate') rotate = value === 'on';
  if (what === 'lifetime') lifetime = Number(value);
  if (what === 'renew') renew = value === 'on';
  ctx.body = [...(stores.get('Client') ?? new Map()).values()];
});

const tls = { cert: readFileSync(process.env.TLS_CERT), key: readFileSync(process.env.TLS_KEY) };
createServer(tls, provider.callback()).listen(Number(process.env.PORT), '127.0.0.1');
