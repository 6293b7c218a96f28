/** The entry that is deployed: the Worker with the real clock, and its memory's class for Cloudflare to find. */

import { createWorker } from "./worker.ts";

export { Memory } from "./memory.ts";
export default createWorker(() => Date.now());
