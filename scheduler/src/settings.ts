/** The Worker's variables, read once per event. Each fault is named, and stops no more than what needs the variable. */

import { minutes } from "./times.ts";

/** What looking and dispatching need. Times of day are milliseconds after midnight UTC. */
export interface LaneSettings {
  api: string;
  repository: string;
  workflow: string;
  eventType: string;
  mode: "absent" | "always";
  periodMs: number;
  onItsWayMs: number;
  watchToMs: number;
  timeoutMs: number;
  pauseMs: number;
  token: string;
  /** What must never be quoted. */
  secrets: readonly string[];
}

/** What judging needs besides: how long a silence may last, and from when on it counts. */
export interface WatchSettings extends LaneSettings {
  quietLimitMs: number;
  watchFromMs: number;
}

/** What the variables allow: a wrong one of the watcher's must not stop a dispatch. */
export interface Reading {
  /** Each wrong variable by name, without its value, for a secret may have landed in the wrong one. */
  faults: readonly string[];
  lane: LaneSettings | undefined;
  watch: WatchSettings | undefined;
  webhook: string | undefined;
  /** A webhook is set that cannot be used. */
  isMute: boolean;
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
 */
export function readSettings(env: Readonly<Record<string, unknown>>): Reading {
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

  const lane = {
    api: address("GITHUB_API").replace(/\/$/, ""),
    repository: text("GITHUB_REPOSITORY", REPOSITORY, "an owner/name"),
    workflow: text("WORKFLOW_FILE", WORKFLOW, "the file name of a workflow"),
    eventType: text("EVENT_TYPE", EVENT_TYPE, "an event type of 1 to 100 characters"),
    mode: text("MODE", /^(absent|always)$/, "absent or always") as LaneSettings["mode"],
    periodMs: minutes(whole("PERIOD_MINUTES")),
    onItsWayMs: minutes(whole("ON_ITS_WAY_MINUTES")),
    watchToMs: timeOfDay("WATCH_TO_UTC"),
    timeoutMs: whole("ATTEMPT_TIMEOUT_MS"),
    pauseMs: whole("RETRY_PAUSE_MS"),
    token: text("GITHUB_DISPATCH_TOKEN", SECRET, "a token: it holds a space or a line end"),
  };
  const laneFaults = faults.length;
  const watch = { quietLimitMs: minutes(whole("QUIET_LIMIT_MINUTES")), watchFromMs: timeOfDay("WATCH_FROM_UTC") };
  if (faults.length === 0 && watch.watchFromMs >= lane.watchToMs)
    faults.push("WATCH_FROM_UTC is not before WATCH_TO_UTC");
  const watchFaults = faults.length;
  const webhook = env["WATCH_WEBHOOK_URL"] === undefined ? undefined : address("WATCH_WEBHOOK_URL");
  const isMute = faults.length > watchFaults;

  const voice = isMute ? undefined : webhook;
  const settings = { ...lane, secrets: [lane.token, ...secretsOf(voice)] };
  return {
    faults,
    lane: laneFaults === 0 ? settings : undefined,
    watch: watchFaults === 0 ? { ...settings, ...watch } : undefined,
    webhook: voice,
    isMute,
  };
}

/** What must never be quoted of the webhook: its address, and the part of it that is the key. */
export function secretsOf(webhook: string | undefined): string[] {
  if (webhook === undefined) return [];
  const { pathname, search } = new URL(webhook);
  return [webhook, `${pathname}${search}`].filter((secret) => secret !== "/");
}

/** A secret travels encrypted, or not beyond this machine. */
function isSafe(address: string): boolean {
  const url = URL.parse(address);
  return url !== null && (url.protocol === "https:" || ["127.0.0.1", "localhost"].includes(url.hostname));
}
