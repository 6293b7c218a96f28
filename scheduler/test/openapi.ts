/** Holds requests and answers against GitHub's own description, as cut by `tools/cut-openapi.mjs`. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";

/** One operation of the description, found by the address of a request. */
export interface Operation {
  operationId: string;
  parameters: { name: string; in: string; required: boolean; schema: object }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { content?: Record<string, { schema: object; example?: unknown }> }>;
}

const description: { paths: Record<string, Record<string, Operation>> } = JSON.parse(
  readFileSync(join(import.meta.dirname, "github-openapi.json"), "utf8"),
);

// GitHub's formats (`uri`, `date-time`, ...) are annotations here, as JSON Schema has them by default.
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
// A query arrives as text.
const coercing = new Ajv2020({ strict: false, validateFormats: false, coerceTypes: true });

/** The operation that a request means, or undefined where GitHub has none of the sort. */
export function operationFor(method: string, path: string): Operation | undefined {
  for (const [template, operations] of Object.entries(description.paths)) {
    const shape = new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`);
    const operation = operations[method.toLowerCase()];
    if (shape.test(path) && operation) return operation;
  }
  return undefined;
}

/** What is wrong with the query and the body of a request. */
export function faultsOfRequest(operation: Operation, query: URLSearchParams, body: string): string[] {
  const faults: string[] = [];
  for (const [name, value] of query) {
    const known = operation.parameters.find((one) => one.in === "query" && one.name === name);
    if (!known) faults.push(`${operation.operationId} has no query parameter ${name}`);
    else if (!coercing.validate({ type: "object", properties: { value: known.schema } }, { value })) {
      faults.push(`${name}=${value}: ${coercing.errorsText()}`);
    }
  }
  const schema = operation.requestBody?.content["application/json"]?.schema;
  if (schema && !ajv.validate(schema, JSON.parse(body))) faults.push(`body: ${ajv.errorsText()}`);
  if (!schema && body !== "") faults.push(`${operation.operationId} takes no body`);
  return faults;
}

/** What is wrong with an answer, so that the stand-in says nothing that GitHub would not say. */
export function faultsOfAnswer(operation: Operation, status: number, body: unknown): string[] {
  const response = operation.responses[status];
  if (!response) return [`${operation.operationId} never answers ${status}`];
  const schema = response.content?.["application/json"]?.schema;
  if (!schema || ajv.validate(schema, body)) return [];
  return [`answer ${status}: ${ajv.errorsText()}`];
}

/** GitHub's own example of a list of runs, out of its description. */
export function exampleRun(): Record<string, unknown> {
  const operation = operationFor("GET", "/repos/o/r/actions/workflows/w.yml/runs");
  const example = operation?.responses["200"]?.content?.["application/json"]?.example;
  return (example as { workflow_runs: Record<string, unknown>[] }).workflow_runs[0] as Record<string, unknown>;
}
