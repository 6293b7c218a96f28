/**
 * Cuts the endpoints that this project calls out of GitHub's OpenAPI description, as `test/github-openapi.json`.
 *
 *     npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz
 *     node tools/cut-openapi.mjs package
 *
 * The description is 13 MB and changes weekly; seven operations of it decide whether a request of ours is right. What
 * comes out is an OpenAPI 3.1 document without one `$ref`: `nullable`, which no JSON Schema validator outside OpenAPI
 * knows, becomes a type of its own, and words for people are left out. Responses keep GitHub's own examples, so that a
 * stand-in for GitHub can answer with a whole run or artifact instead of an invented one.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** @type {[string, string][]} */
const OPERATIONS = [
  ["post", "/repos/{owner}/{repo}/dispatches"],
  ["get", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs"],
  ["get", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}"],
  ["get", "/repos/{owner}/{repo}/actions/runs"],
  ["get", "/repos/{owner}/{repo}"],
  ["get", "/repos/{owner}/{repo}/actions/artifacts"],
  ["get", "/repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}"],
];
const KEPT_OF_AN_OPERATION = ["operationId", "parameters", "requestBody", "responses"];
const WORDS_FOR_PEOPLE = new Set(["description", "example", "examples", "title", "externalDocs", "deprecated"]);

const folder = process.argv[2];
if (!folder) throw new Error("usage: node tools/cut-openapi.mjs <folder of the unpacked @octokit/openapi>");
const source = JSON.parse(readFileSync(join(folder, "generated", "api.github.com.json"), "utf8"));
const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** @type {Record<string, Record<string, unknown>>} */
const paths = {};
for (const [method, path] of OPERATIONS) {
  const operation = source.paths[path]?.[method];
  if (!operation) throw new Error(`${name} ${version} has no ${method} ${path}`);
  paths[path] = { ...paths[path], [method]: cut(operation) };
}
const document = {
  openapi: "3.1.0",
  info: {
    title: "GitHub REST API, the operations that this project calls",
    version,
    "x-cut-from": `npm ${name}@${version} (${license}), generated/api.github.com.json`,
  },
  servers: [{ url: "https://api.github.com" }],
  paths,
};
const out = join(import.meta.dirname, "..", "test", "github-openapi.json");
writeFileSync(out, `${JSON.stringify(document, null, 1)}\n`);
console.log(`${out}: ${OPERATIONS.length} operations of ${name} ${version}`);

/** @param {any} operation */
function cut(operation) {
  const kept = Object.fromEntries(KEPT_OF_AN_OPERATION.filter((k) => k in operation).map((k) => [k, operation[k]]));
  return {
    ...kept,
    parameters: (kept.parameters ?? []).map(parameter),
    ...(kept.requestBody && { requestBody: { required: true, content: content(kept.requestBody.content, false) } }),
    responses: Object.fromEntries(Object.entries(kept.responses).map(([status, found]) => [status, response(found)])),
  };
}

/** @param {any} found */
function parameter(found) {
  const { name, in: place, required = false, schema } = resolve(found);
  return { name, in: place, required, schema: schemaOf(schema) };
}

/** @param {any} found */
function response(found) {
  const { description, headers, content: bodies } = resolve(found);
  return {
    description,
    ...(headers && { headers: Object.fromEntries(Object.keys(headers).map((header) => [header, {}])) }),
    ...(bodies && { content: content(bodies, true) }),
  };
}

/**
 * @param {Record<string, any>} bodies by media type
 * @param {boolean} withExample
 */
function content(bodies, withExample) {
  return Object.fromEntries(
    Object.entries(bodies).map(([type, body]) => {
      const example = withExample && Object.values(body.examples ?? {})[0];
      return [type, { schema: schemaOf(body.schema), ...(example && { example: resolve(example).value }) }];
    }),
  );
}

/**
 * A schema without references, without words for people, and with `nullable` said as JSON Schema says it.
 * @param {any} found
 * @param {string[]} above references on the way down; a schema that contains itself has no finite form
 * @returns {any}
 */
function schemaOf(found, above = []) {
  if (found.$ref) {
    if (above.includes(found.$ref)) throw new Error(`${found.$ref} contains itself`);
    return schemaOf(lookUp(found.$ref), [...above, found.$ref]);
  }
  /** @type {Record<string, any>} */
  const schema = {};
  for (const [key, value] of Object.entries(found)) {
    if (key === "nullable" || key.startsWith("x-") || WORDS_FOR_PEOPLE.has(key)) continue;
    if (key === "properties") schema[key] = mapped(value, (one) => schemaOf(one, above));
    else if (["allOf", "anyOf", "oneOf"].includes(key))
      schema[key] = value.map((/** @type {any} */ one) => schemaOf(one, above));
    else if (["items", "additionalProperties", "not"].includes(key) && typeof value === "object")
      schema[key] = schemaOf(value, above);
    else schema[key] = value;
  }
  return found.nullable ? orNull(schema) : schema;
}

/** @param {Record<string, any>} schema */
function orNull(schema) {
  if (typeof schema.type !== "string") return { anyOf: [schema, { type: "null" }] };
  return { ...schema, type: [schema.type, "null"], ...(schema.enum && { enum: [...new Set([...schema.enum, null])] }) };
}

/**
 * @param {Record<string, any>} object
 * @param {(value: any) => any} change
 */
function mapped(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

/** @param {any} found */
function resolve(found) {
  return found.$ref ? lookUp(found.$ref) : found;
}

/** @param {string} reference such as `#/components/schemas/workflow-run` */
function lookUp(reference) {
  return reference
    .slice(2)
    .split("/")
    .reduce((at, key) => at[key], source);
}
