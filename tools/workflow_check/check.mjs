/**
 * GitHub's own parser and expression checker over workflow files: what it would refuse, or warn of, with its line.
 *
 *     npm run check
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";

/**
 * Returns `line: what is wrong` for each fault of one workflow. What was read of a path is kept: another text of the same
 * path is not looked at.
 *
 * @param {string} path where the file is said to lie; GitHub looks for workflows by their folder
 * @param {string} text
 */
export async function faults(path, text) {
  const document = TextDocument.create(pathToFileURL(path).href, "yaml", 1, text);
  const found = await validate(document);
  return found.map((one) => `${one.range.start.line + 1}: ${one.message.replaceAll(/\s+/g, " ").trim()}`);
}

async function main(/** @type {string} */ folder) {
  const names = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name)).sort();
  if (!names.length) throw new Error(`no workflow in ${folder}`);
  let count = 0;
  for (const name of names) {
    for (const fault of await faults(join("/repository/.github/workflows", name), readFileSync(join(folder, name), "utf8"))) {
      console.error(`${name}:${fault}`);
      count += 1;
    }
  }
  process.exitCode = count ? 1 : 0;
}

if (process.argv[1]?.endsWith("check.mjs")) await main(process.argv[2]);
