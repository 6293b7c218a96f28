/** What may go wrong at the edge of this Worker, as one kind of error whose text a person can act on. */

/** The world did not do what was asked. Its text never holds a secret, so it may be logged, told and shown. */
export class EdgeError extends Error {
  override name = "EdgeError";
  /** Asking again cannot help: somebody has to fix something first. */
  readonly permanent: boolean;

  constructor(message: string, permanent: boolean) {
    super(message);
    this.permanent = permanent;
  }
}

/** A success with its value, or the error that stood in its way: failing is data until the tick has done all it can. */
export type Outcome<T> = { ok: true; value: T } | { ok: false; error: EdgeError };

/** Runs one part of a tick, so that its failure does not keep the other parts from running. */
export async function attempt<T>(part: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await part() };
  } catch (error) {
    if (error instanceof EdgeError) return { ok: false, error };
    // A defect of ours. Its own text could quote anything, so only its name is passed on.
    return { ok: false, error: new EdgeError(`the scheduler itself failed (${nameOf(error)})`, true) };
  }
}

/** The name of whatever was thrown, which unlike its message quotes no address and no header. */
export function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : typeof thrown;
}
