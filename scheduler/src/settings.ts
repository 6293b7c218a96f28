/** The Worker's variables, read once per event and refused all at once when any of them is wrong. */

import { minutes } from "./times.ts";

/** What the deployment decides. Times of day are milliseconds after midnight UTC. */
export interface Settings {
  api: string;
  repository: string;
  workflow: string;
  eventType: string;
  mode: "absent" | "always";
  periodMs: number;
  onItsWayMs: number;
  quietLimitMs: number;
  watchFromMs: number;
  watchToMs: number;
  timeoutMs: number;
  pauseMs: number;
  token: string;
  webhook: string | undefined;
}

/** The variables are wrong. Names them all; quotes no value, for a secret may have landed in the wrong one. */
export class SettingsError extends Error {
  override name = "SettingsError";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`the scheduler is configured wrongly: ${faults.join("; ")}`);
    this.faults = faults;
  }
}

const REPOSITORY = /^[A-Za-z0-9][A-Za-z0-9-]{0,38}\/(?!\.{1,2}$)[\w.-]{1,100}$/;
const WORKFLOW = /^[\w.-]+\.ya?ml$/;
const EVENT_TYPE = /^\S{1,100}$/; // 100 is GitHub's limit
const TIME_OF_DAY = /^([01]\d|2[0-3]):([0-5]\d)$/;
const WHOLE_NUMBER = /^[1-9]\d{0,5}$/;
const SECRET = /^[\x21-\x7e]+$/; // what can stand in a header: a pasted line end cannot

/**
 * @param env the Worker's bindings; every variable of `wrangler.jsonc` is required, for a default here would be a
 * second place that declares it
 * @throws SettingsError
 */
export function readSettings(env: Readonly<Record<string, unknown>>): Settings {
  const faults: string[] = [];
  const text = (name: string, shape: RegExp, wanted: string): string => {
    const value = env[name];
    if (typeof value === "string" && shape.test(value)) return value;
    faults.push(`${name} is ${value === undefined || value === "" ? "missing" : `not ${wanted}`}`);
    return "";
  };
  const whole = (name: string): number => Number(text(name, WHOLE_NUMBER, "a whole number above 0"));
  const timeOfDay = (name: string): number => {
    const [hour = 0, minute = 0] = text(name, TIME_OF_DAY, "a time of day such as 13:00").split(":").map(Number);
    return minutes(60 * hour + minute);
  };
  const address = (name: string): string => {
    const value = text(name, SECRET, "an address");
    if (value && !isSafe(value)) faults.push(`${name} is not an https address`);
    return value;
  };

  const settings: Settings = {
    api: address("GITHUB_API").replace(/\/$/, ""),
    repository: text("GITHUB_REPOSITORY", REPOSITORY, "an owner/name"),
    workflow: text("WORKFLOW_FILE", WORKFLOW, "the file name of a workflow"),
    eventType: text("EVENT_TYPE", EVENT_TYPE, "an event type of 1 to 100 characters"),
    mode: text("MODE", /^(absent|always)$/, "absent or always") as Settings["mode"],
    periodMs: minutes(whole("PERIOD_MINUTES")),
    onItsWayMs: minutes(whole("ON_ITS_WAY_MINUTES")),
    quietLimitMs: minutes(whole("QUIET_LIMIT_MINUTES")),
    watchFromMs: timeOfDay("WATCH_FROM_UTC"),
    watchToMs: timeOfDay("WATCH_TO_UTC"),
    timeoutMs: whole("ATTEMPT_TIMEOUT_MS"),
    pauseMs: whole("RETRY_PAUSE_MS"),
    token: text("GITHUB_DISPATCH_TOKEN", SECRET, "a token: it holds a space or a line end"),
    webhook: env["WATCH_WEBHOOK_URL"] === undefined ? undefined : address("WATCH_WEBHOOK_URL"),
  };
  if (faults.length === 0 && settings.watchFromMs >= settings.watchToMs) {
    faults.push("WATCH_FROM_UTC is not before WATCH_TO_UTC");
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return settings;
}

/** What must never be quoted: the token, the webhook's address, and the part of it that is the key. */
export function secretsOf({ token, webhook }: Settings): string[] {
  if (webhook === undefined) return [token];
  const { pathname, search } = new URL(webhook);
  return [token, webhook, `${pathname}${search}`].filter((secret) => secret !== "/");
}

/** A secret travels encrypted, or not beyond this machine. */
function isSafe(address: string): boolean {
  const url = URL.parse(address);
  return url !== null && (url.protocol === "https:" || ["127.0.0.1", "localhost"].includes(url.hostname));
}
