/** A GitHub and a webhook on loopback, which hold every request against GitHub's OpenAPI description. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exampleRun, faultsOfAnswer, faultsOfRequest, operationFor } from "./openapi.ts";

/** What a test sets of a run; the rest is GitHub's own example. */
export interface FakeRun {
  created_at: string;
  display_title: string;
  event: "schedule" | "repository_dispatch" | "workflow_dispatch";
  status: string | null;
  conclusion: string | null;
  /** When it finished, as far as GitHub's list tells; long ago unless told otherwise. */
  updated_at?: string;
}

export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

/** How one request is answered: with a status, not at all, half, or by breaking the connection. */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | "hang" | "stall" | "break";
export type Door = "look" | "dispatch" | "webhook";

export class LoopbackGitHub {
  runs: FakeRun[] = [];
  /** How long GitHub thinks before each answer. */
  thinksMs = 0;
  /** Called when a dispatch was taken, as GitHub then makes a run. */
  onDispatch: (payload: { source: string; correlation_id: string }) => void = () => {};
  readonly asked: Record<Door, Asked[]> = { look: [], dispatch: [], webhook: [] };
  /** What a request broke of GitHub's description; a test ends red when there is any. */
  readonly faults: string[] = [];
  #planned: Record<Door, Answer[]> = { look: [], dispatch: [], webhook: [] };
  #always: Partial<Record<Door, Answer>> = {};
  #server: Server = createServer((request, response) => void this.#serve(request, response));

  async start(): Promise<void> {
    await new Promise<void>((ready) => this.#server.listen(0, "127.0.0.1", ready));
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The answers to the next requests at a door; after these it answers as GitHub does. */
  next(door: Door, ...answers: Answer[]): void {
    this.#planned[door].push(...answers);
  }

  /** The answer to every request at a door. */
  always(door: Door, answer: Answer): void {
    this.#always[door] = answer;
  }

  /** Back to an empty GitHub in which everything works. */
  reset(): void {
    this.runs = [];
    this.thinksMs = 0;
    this.onDispatch = () => {};
    for (const door of ["look", "dispatch", "webhook"] as const) {
      this.asked[door].length = 0;
      this.#planned[door].length = 0;
    }
    this.#always = {};
    this.faults.length = 0;
  }

  /** What the webhook was told, one text each. */
  get told(): string[] {
    return this.asked.webhook.map(({ body }) => (JSON.parse(body) as { text: string }).text);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await request.toArray()).join("");
    const url = new URL(request.url ?? "/", "http://loopback");
    const { method = "", headers } = request;
    const door = url.pathname === "/webhook" ? "webhook" : method === "POST" ? "dispatch" : "look";
    this.asked[door].push({ method, path: request.url ?? "", headers, body });
    if (door !== "webhook") this.#check(method, url, headers, body);

    if (this.thinksMs > 0) await new Promise((resolve) => setTimeout(resolve, this.thinksMs));
    const answer = this.#planned[door].shift() ?? this.#always[door] ?? this.#usual(door, url, body);
    if (answer === "hang") return;
    if (answer === "stall") return void response.writeHead(200).write("{");
    if (answer === "break") return void request.socket.destroy();
    if (door !== "webhook" && answer.status < 300) this.#checkAnswer(method, url, answer.status, answer.body);
    response.writeHead(answer.status, { "Content-Type": "application/json", ...answer.headers });
    response.end(typeof answer.body === "object" ? JSON.stringify(answer.body) : answer.body);
  }

  #usual(door: Door, url: URL, body: string): Answer {
    if (door === "webhook") return { status: 200, body: "ok" };
    if (door === "look") return { status: 200, body: this.#page(url.searchParams) };
    this.onDispatch(
      (JSON.parse(body) as { client_payload: { source: string; correlation_id: string } }).client_payload,
    );
    return { status: 204 };
  }

  #page(query: URLSearchParams): unknown {
    const wanted = this.runs.filter((run) => query.get("status") !== "success" || run.conclusion === "success");
    const newestFirst = wanted.toSorted((a, b) => b.created_at.localeCompare(a.created_at));
    const page = newestFirst.slice(0, Number(query.get("per_page") ?? 30));
    return {
      total_count: wanted.length,
      workflow_runs: page.map((run, id) => ({ ...exampleRun(), id: id + 1, ...run })),
    };
  }

  #check(method: string, url: URL, headers: IncomingMessage["headers"], body: string): void {
    const operation = operationFor(method, url.pathname);
    if (!operation) return void this.faults.push(`GitHub has no ${method} ${url.pathname}`);
    this.faults.push(...faultsOfRequest(operation, url.searchParams, body));
    // GitHub answers 403 to a request without a User-Agent; workerd sends none by itself.
    if (!headers["user-agent"]) this.faults.push(`${method} ${url.pathname} carries no User-Agent`);
    if (headers.accept !== "application/vnd.github+json") this.faults.push(`${method} accepts ${headers.accept}`);
    if (!headers["x-github-api-version"]) this.faults.push(`${method} names no version of the API`);
    if (!headers.authorization?.startsWith("Bearer ")) this.faults.push(`${method} carries no token`);
  }

  #checkAnswer(method: string, url: URL, status: number, body: unknown): void {
    const operation = operationFor(method, url.pathname);
    if (operation) this.faults.push(...faultsOfAnswer(operation, status, body));
  }
}

const SCHEDULE = "7,17,27,37,47,57 13-21 * * MON-FRI";

/** A run of GitHub's own schedule, successful unless told otherwise. */
export function scheduled(created_at: string, change: Partial<FakeRun> = {}): FakeRun {
  const display_title = `PT health | schedule ${SCHEDULE}`;
  return { created_at, display_title, event: "schedule", status: "completed", conclusion: "success", ...change };
}

/** A run that the Worker dispatched, successful unless told otherwise. */
export function dispatched(created_at: string, source: string, change: Partial<FakeRun> = {}): FakeRun {
  const display_title = `PT health | dispatch ${source}`;
  return {
    created_at,
    display_title,
    event: "repository_dispatch",
    status: "completed",
    conclusion: "success",
    ...change,
  };
}
