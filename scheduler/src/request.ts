/** One request to the world: a few attempts, each with its own end, and one kind of error. */

import { EdgeError, nameOf } from "./errors.ts";

const ATTEMPTS = 3;
/** Longer than this no tick waits for a server's `Retry-After`: the next tick comes anyway. */
const LONGEST_PAUSE_MS = 20_000;
const QUOTED = 200;

export interface Manners {
  timeoutMs: number;
  pauseMs: number;
  /** What must never stand in an error's text, even where a server echoes it. */
  secrets: readonly string[];
  /** What a person can do about a status, by its number. */
  remedies?: Readonly<Record<number, string>>;
}

/**
 * Asks up to three times: again after a failed connection, a timeout, 429 and 5xx, and never after another answer,
 * which would be the same the next time. A redirect is not followed: it could carry the token to another host.
 *
 * @param what the request in words, for the error; an address may be a secret
 * @returns the body of a 2xx answer
 * @throws EdgeError
 */
export async function request(what: string, url: string, init: RequestInit, manners: Manners): Promise<string> {
  for (let tried = 1; ; tried += 1) {
    const { body, error, again, retryAfterMs } = await once(what, url, init, manners);
    if (body !== undefined) return body;
    if (!again || tried === ATTEMPTS) throw tried > 1 ? after(error, tried) : error;
    await pause(Math.min(retryAfterMs ?? manners.pauseMs * tried, LONGEST_PAUSE_MS));
  }
}

type Answer =
  | { body: string; error?: never; again?: never; retryAfterMs?: never }
  | { body?: never; error: EdgeError; again: boolean; retryAfterMs?: number | undefined };

async function once(what: string, url: string, init: RequestInit, manners: Manners): Promise<Answer> {
  try {
    const response = await fetch(url, {
      ...init,
      redirect: "manual",
      signal: AbortSignal.timeout(manners.timeoutMs),
    });
    const body = await response.text();
    if (response.ok) return { body };
    const error = refusal(what, response, body, manners);
    return { error, again: isToRepeat(response.status), retryAfterMs: retryAfter(response) };
  } catch (thrown) {
    // The runtime's own message may quote the address, and the webhook's address is a secret.
    const timedOut = nameOf(thrown) === "TimeoutError";
    const why = timedOut ? `no answer within ${manners.timeoutMs / 1000} s` : "the connection failed";
    return { error: new EdgeError(`${what}: ${why}`, false), again: true };
  }
}

function refusal(what: string, response: Response, body: string, manners: Manners): EdgeError {
  const { status } = response;
  const limited = isRateLimit(response, body);
  const remedy = limited ? "a rate limit is reached" : manners.remedies?.[status];
  const said = withoutSecrets(body, manners.secrets).replace(/\s+/g, " ").trim().slice(0, QUOTED);
  const text = [`${what}: HTTP ${status}`, remedy, said && `it said: ${said}`].filter(Boolean).join("; ");
  return new EdgeError(text, !limited && !isToRepeat(status));
}

function isToRepeat(status: number): boolean {
  return status === 429 || status >= 500;
}

/** GitHub says 403 for a rate limit too, at times in the text alone. That passes by itself, but not within a tick. */
function isRateLimit({ status, headers }: Response, body: string): boolean {
  if (status !== 403) return false;
  return headers.get("x-ratelimit-remaining") === "0" || headers.has("retry-after") || /rate limit/i.test(body);
}

function after(error: EdgeError, attempts: number): EdgeError {
  return new EdgeError(`${error.message} (${attempts} attempts)`, error.permanent);
}

/** GitHub and Slack give seconds; a date, which HTTP allows as well, counts as nothing said. */
function retryAfter(response: Response): number | undefined {
  const seconds = response.headers.get("retry-after") ?? "";
  return /^\d+$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, "***"), text);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
