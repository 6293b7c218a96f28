/** Cron expressions as Cloudflare understands them, expanded by hand for the tests: minutes, hours and named days. */

/** The two expressions of `wrangler.jsonc`; a test holds them against it. */
export const DAYTIME = "0,10,20,30,40,50 13-21 * * MON-FRI";
export const CLOSING = "0,10 22 * * MON-FRI";

const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

export interface DueTick {
  at: string;
  cron: string;
}

/** The ticks of one day (`2026-06-01`), in order. Knows what this Worker's expressions use and refuses the rest. */
export function ticksOfDay(day: string, crons: readonly string[]): DueTick[] {
  const midnight = Date.parse(`${day}T00:00:00Z`);
  const weekday = new Date(midnight).getUTCDay();
  return crons
    .flatMap((cron) => {
      const { minutes, hours, days } = expand(cron);
      if (!days.includes(weekday)) return [];
      return hours.flatMap((hour) =>
        minutes.map((minute) => ({ at: rfc3339(midnight + (60 * hour + minute) * 60_000), cron })),
      );
    })
    .toSorted((a, b) => a.at.localeCompare(b.at));
}

/** @throws RangeError where the expression is not one that means the same on Cloudflare as to a reader */
export function expand(cron: string): { minutes: number[]; hours: number[]; days: number[] } {
  const fields = cron.split(" ");
  const [minute = "", hour = "", dayOfMonth, month, weekday = ""] = fields;
  if (fields.length !== 5) throw new RangeError(`${cron}: five fields, one space apart`);
  if (dayOfMonth !== "*" || month !== "*") throw new RangeError(`${cron}: every day of every month`);
  if (/\d/.test(weekday))
    throw new RangeError(`${cron}: days by name, for 1 is Sunday on Cloudflare and Monday on GitHub`);
  const named = weekday.replace(/[A-Z]+/g, (name) => String(DAYS.indexOf(name)));
  return { minutes: values(minute, 59), hours: values(hour, 23), days: values(named, 6) };
}

function values(field: string, highest: number): number[] {
  return field.split(",").flatMap((part) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? first);
    if (!match || last > highest || first > last) throw new RangeError(`${part} is not a value up to ${highest}`);
    return Array.from({ length: last - first + 1 }, (_, step) => first + step);
  });
}

function rfc3339(at: number): string {
  return new Date(at).toISOString().replace(".000Z", "Z");
}
