/** The shape of what is remembered between ticks. */

import type { Run } from "./runs.ts";

/** What there may be to say: no success for too long, no list to judge by, no way to dispatch, wrong variables. */
export type Kind = "quiet" | "unreadable" | "undispatchable" | "misconfigured";

/** One tick that came to its end; times in milliseconds. */
export interface TickRecord {
  scheduledFor: number;
  firedAt: number;
  cron: string;
  ok: boolean;
  result: string;
}

export interface Remembered {
  lastTick?: TickRecord;
  /** The last tick at which GitHub's list could be read. */
  lastLook?: number;
  /** Receipts: for each episode that the webhook took, the time that it counts from, as last judged. */
  told: Partial<Record<Kind, number>>;
}

/** A look at GitHub. Where it failed it saw no runs, and says why. */
export interface KeptLook {
  runs: Run[];
  failed: { message: string; permanent: boolean } | null;
}
