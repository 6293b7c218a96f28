// Opens each page of a folder in Chromium at three widths, in both schemes and in print. Fails on any violation of
// WCAG 2.2 A and AA that axe-core finds, on a page wider than its window, on anything loaded, and on any script.
// Usage: node check.mjs FOLDER [PICTURES]; CHROMIUM names the browser where it stands at no usual place.
import { readdirSync, mkdirSync, existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [folder, pictures] = process.argv.slice(2);
const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/chromium-headless-shell"];
const browserPath = process.env.CHROMIUM || places.find((place) => existsSync(place));
if (!folder || !browserPath) {
  console.error(folder ? "page check: no Chromium here (apt-get install chromium), or name one in CHROMIUM" : "usage: node check.mjs FOLDER [PICTURES]");
  process.exit(2);
}
const headless = browserPath.endsWith("headless-shell") ? "shell" : true;
const browser = await puppeteer.launch({ executablePath: browserPath, headless, args: ["--no-sandbox"] });
const faults = [];
const pages = readdirSync(folder).filter((name) => name.endsWith(".html"));
if (pictures) mkdirSync(pictures, { recursive: true });

async function check(page, label) {
  const width = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  if (width[0] > width[1]) faults.push(`${label}: the page is ${width[0]} wide in a window of ${width[1]}`);
  await page.evaluate(axe); // over the debugger's protocol, which the page's policy does not bind
  const result = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  for (const found of result.violations) {
    faults.push(`${label}: ${found.id}: ${found.help}: ${found.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ")}`);
  }
}

for (const name of pages) {
  for (const scheme of ["light", "dark"]) {
    for (const width of [360, 768, 1280]) {
      const page = await browser.newPage();
      page.on("request", (request) => request.url().startsWith("file:") || faults.push(`${name}: loads ${request.url()}`));
      page.on("console", (message) => message.type() === "error" && faults.push(`${name}: ${message.text()}`));
      await page.setViewport({ width, height: width < 500 ? 740 : 800 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.goto(pathToFileURL(resolve(join(folder, name))).href);
      const scripts = await page.evaluate(() => document.scripts.length);
      if (scripts) faults.push(`${name}: has ${scripts} scripts`);
      if (pictures) {
        const place = join(pictures, `${basename(name, ".html")}-${width}-${scheme}`);
        await page.screenshot({ path: `${place}.png` });
        if (width === 1280 && scheme === "light") await page.screenshot({ path: `${place}-whole.png`, fullPage: true });
      }
      await check(page, `${name} at ${width} ${scheme}`);
      await page.close();
    }
  }
  const page = await browser.newPage();
  await page.setViewport({ width: 794, height: 1123 }); // A4 at 96 dots an inch
  await page.goto(pathToFileURL(resolve(join(folder, name))).href);
  await page.emulateMediaType("print");
  if (pictures) await page.screenshot({ path: join(pictures, `${basename(name, ".html")}-print.png`) });
  await check(page, `${name} in print`);
  await page.close();
}
await browser.close();
for (const fault of faults) console.error(fault);
console.log(`page check: ${pages.length} pages, ${faults.length} faults`);
process.exit(faults.length || !pages.length ? 1 : 0);
