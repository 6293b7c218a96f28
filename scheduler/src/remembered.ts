/** The shape of what is remembered between ticks. */

import type { Run } from "./runs.ts";

/** What the watcher may have to say: no success for too long, no list to judge by, no way to dispatch. */
export type Kind = "quiet" | "unreadable" | "undispatchable";

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
  /** Receipts: for each episode that the webhook took, the time that it counts from. */
  told: Partial<Record<Kind, number>>;
}

/** A look at GitHub and when it was made. Where it failed it saw no runs, and says why. */
export interface KeptLook {
  at: number;
  runs: Run[];
  failed: { message: string; permanent: boolean } | null;
}
