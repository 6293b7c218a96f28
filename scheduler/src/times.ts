/** Times as milliseconds since 1970, which is what Cloudflare hands to a tick; days and weekdays are UTC's. */

const DAY_MS = 86_400_000;
const SHOWN_IN: readonly (readonly [string, string])[] = [
  ["UTC", "UTC"],
  ["ET", "America/New_York"],
  ["JST", "Asia/Tokyo"],
];

/** Minutes as milliseconds. */
export function minutes(count: number): number {
  return count * 60_000;
}

/** Milliseconds as whole minutes, cut off. */
export function inMinutes(ms: number): number {
  return Math.floor(ms / 60_000);
}

/** The midnight UTC before a time. */
export function midnight(at: number): number {
  return Math.floor(at / DAY_MS) * DAY_MS;
}

/** Monday to Friday, UTC. */
export function isWeekday(at: number): boolean {
  const day = new Date(at).getUTCDay();
  return day >= 1 && day <= 5;
}

/** RFC 3339 in UTC, without the fraction, as GitHub writes it. */
export function rfc3339(at: number): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** For a person: `2026-06-01 17:45 UTC / 13:45 ET / 02:45 JST`. The date is UTC's. */
export function forPeople(at: number): string {
  const clocks = SHOWN_IN.map(([label, timeZone]) => {
    const clock = new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone });
    return `${clock} ${label}`;
  });
  return `${rfc3339(at).slice(0, 10)} ${clocks.join(" / ")}`;
}
