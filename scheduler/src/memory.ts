/**
 * What the Worker remembers from tick to tick: one small Durable Object.
 *
 * A Worker has no memory of its own: the next tick, and a request to /healthz, run in other isolates, mostly in other
 * data centres. This one is a convenience and never a condition: no decision to dispatch reads it, and where it is
 * missing or does not answer, /healthz says that it does not know and the watcher falls back to its stateless rule.
 */

import { DurableObject } from "cloudflare:workers";
import { attempt, EdgeError, type Outcome } from "./errors.ts";
import { lookingOnce } from "./kept.ts";
import type { KeptLook, Remembered } from "./remembered.ts";
import type { LaneSettings } from "./settings.ts";

const KEY = "remembered";
const LONGEST_WAIT_MS = 3_000;

/** The Durable Object's class; Cloudflare finds it by the name in `wrangler.jsonc`. */
export class Memory extends DurableObject {
  /** Not stored: it is worth half a minute. */
  protected lookOnce = lookingOnce();

  recall(): Promise<Remembered | undefined> {
    return this.ctx.storage.get<Remembered>(KEY);
  }

  async remember(what: Remembered): Promise<void> {
    await this.ctx.storage.put(KEY, what);
  }

  look(at: number, settings: LaneSettings): Promise<KeptLook> {
    return this.lookOnce(at, settings);
  }
}

/** What was remembered; nothing yet is `{ told: {} }`, and a memory that is absent or silent is an error. */
export function recall(env: Readonly<Record<string, unknown>>): Promise<Outcome<Remembered>> {
  return attempt(async () => (await answer(stub(env).recall())) ?? { told: {} });
}

/** Replaces what was remembered. */
export function remember(env: Readonly<Record<string, unknown>>, what: Remembered): Promise<Outcome<void>> {
  return attempt(() => answer(stub(env).remember(what)));
}

/** The look that all share. It takes as long as GitHub does, so only a memory that just answered is asked for it. */
export function sharedLook(
  env: Readonly<Record<string, unknown>>,
  at: number,
  settings: LaneSettings,
): Promise<Outcome<KeptLook>> {
  return attempt(() => stub(env).look(at, settings));
}

function stub(env: Readonly<Record<string, unknown>>): DurableObjectStub<Memory> {
  const namespace = env["MEMORY"] as DurableObjectNamespace<Memory> | undefined;
  if (!namespace) throw new EdgeError("there is no memory: MEMORY is not bound", true);
  return namespace.get(namespace.idFromName("the one"));
}

/** A memory that hangs must not hold up a tick. */
async function answer<T>(asked: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new EdgeError("the memory did not answer", false)), LONGEST_WAIT_MS);
  });
  return Promise.race([asked, late]);
}
