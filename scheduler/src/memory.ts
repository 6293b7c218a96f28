/**
 * What the Worker remembers from tick to tick: one small Durable Object.
 *
 * A Worker has no memory of its own: the next tick, and a request to /healthz, run in other isolates, mostly in other
 * data centres. This one is a convenience and never a condition: no decision to dispatch reads it, and where it is
 * missing or does not answer, /healthz says that it does not know and the watcher falls back to its stateless rule.
 */

import { DurableObject } from "cloudflare:workers";
import { attempt, EdgeError, type Outcome } from "./errors.ts";
import type { KeptLook, Remembered } from "./remembered.ts";

const KEY = "remembered";
const LONGEST_WAIT_MS = 3_000;

/** The Durable Object's class; Cloudflare finds it by the name in `wrangler.jsonc`. */
export class Memory extends DurableObject {
  /** Not stored: it is worth half a minute. */
  #look: KeptLook | undefined;

  recall(): Promise<Remembered | undefined> {
    return this.ctx.storage.get<Remembered>(KEY);
  }

  async remember(what: Remembered): Promise<void> {
    await this.ctx.storage.put(KEY, what);
  }

  async recallLook(): Promise<KeptLook | undefined> {
    return this.#look;
  }

  async keepLook(look: KeptLook | undefined): Promise<void> {
    this.#look = look;
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

/** The look that was kept last, or undefined when none was. */
export function recallLook(env: Readonly<Record<string, unknown>>): Promise<Outcome<KeptLook | undefined>> {
  return attempt(() => answer(stub(env).recallLook()));
}

/** Keeps a look for the next who asks; undefined forgets it. */
export function keepLook(env: Readonly<Record<string, unknown>>, look: KeptLook | undefined): Promise<Outcome<void>> {
  return attempt(() => answer(stub(env).keepLook(look)));
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
