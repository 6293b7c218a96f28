// Opens each page of a folder in a Chromium at three widths, in both schemes and in print. Fails on any violation of
// WCAG 2.2 A and AA or of axe-core's best practices, on a page wider than its window, on anything loaded, on a script.
// Usage: CHROMIUM=path node check.mjs FOLDER [PICTURES]
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [folder, pictures] = process.argv.slice(2);
const executablePath = process.env.CHROMIUM;
if (!folder || !executablePath) {
  console.error("usage: CHROMIUM=path node check.mjs FOLDER [PICTURES]");
  process.exit(2);
}
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const faults = [];
const names = readdirSync(folder).filter((name) => name.endsWith(".html"));
if (pictures) mkdirSync(pictures, { recursive: true });
const browser = await puppeteer.launch({
  executablePath,
  headless: executablePath.endsWith("headless-shell") ? "shell" : true,
  args: ["--no-sandbox"],
});

async function checkView(page, label) {
  const [whole, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (whole > window) faults.push(`${label}: the page is ${whole} wide in a window of ${window}`);
  const result = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), rules);
  for (const { id, help, nodes } of result.violations) {
    const places = nodes.slice(0, 3).map((node) => node.target.join(" "));
    faults.push(`${label}: ${id}: ${help}: ${places.join(", ")}`);
  }
}

async function checkPage(name) {
  const page = await browser.newPage();
  page.on("request", (request) => request.url().startsWith("file:") || faults.push(`${name}: loads ${request.url()}`));
  page.on("console", (message) => message.type() === "error" && faults.push(`${name}: ${message.text()}`));
  await page.goto(pathToFileURL(resolve(join(folder, name))).href);
  if (await page.evaluate(() => document.scripts.length)) faults.push(`${name}: has a script`);
  await page.evaluate(axe); // over the debugger's protocol, which the page's policy does not bind
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const width of [360, 768, 1280]) {
      await page.setViewport({ width, height: width < 500 ? 740 : 800 });
      await checkView(page, `${name} at ${width}, ${scheme}`);
      if (pictures) await page.screenshot({ path: join(pictures, `${basename(name, ".html")}-${width}-${scheme}.png`) });
    }
  }
  await page.emulateMediaType("print");
  await page.setViewport({ width: 794, height: 1123 }); // A4 at 96 dots an inch
  await checkView(page, `${name} in print`);
  if (pictures) await page.screenshot({ path: join(pictures, `${basename(name, ".html")}-print.png`) });
  await page.close();
}

for (const name of names) await checkPage(name);
await browser.close();
for (const fault of faults) console.error(fault);
console.log(`pages: ${names.length} in Chromium, ${faults.length} faults`);
process.exit(faults.length || !names.length ? 1 : 0);
