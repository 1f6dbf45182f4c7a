// A page in a real browser that fails its test on anything a user would never be shown but a developer must see: console
// errors, uncaught exceptions, hydration warnings, blocked content.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after } from "node:test";
import { chromium } from "playwright-core";

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let launched;

/** One browser for all tests of a file, started at the first use. */
function browser() {
  launched ??= chromium.launch({ executablePath: executable(), args: ARGUMENTS });
  return launched;
}

after(async () => (await launched)?.close());

function executable() {
  const found = process.env.CHROMIUM ?? CANDIDATES.find(existsSync);
  if (!found) throw new Error("no Chromium found: install it (apt-get install chromium) or name it in CHROMIUM");
  return found;
}

/**
 * Runs `visit` with a page in a context of its own: no cookies, no cache, nothing of another test.
 *
 * @param {object} options
 * @param {boolean} [options.javaScript] off: what a visitor without it gets
 * @param {{width: number, height: number}} [options.viewport]
 * @param {"light" | "dark"} [options.theme] what the visitor's system prefers
 * @param {string} [options.baseUrl] what relative addresses start from
 * @param {RegExp[]} [options.expected] faults that this visit provokes on purpose, such as the report of a 403
 * @param {(page: import("playwright-core").Page) => Promise<void>} visit
 */
export async function withPage(options, visit) {
  const { javaScript = true, viewport = DESKTOP, theme = "light", baseUrl, expected = [] } = options;
  const context = await (await browser()).newContext({
    javaScriptEnabled: javaScript,
    viewport,
    colorScheme: theme,
    baseURL: baseUrl,
    reducedMotion: "reduce",
  });
  try {
    await context.addInitScript(reportBlockedContent);
    const page = await context.newPage();
    const faults = listen(context);
    try {
      await visit(page);
    } catch (error) {
      const told = await seen(page, faults);
      error.message += told;
      error.stack += told;
      throw error;
    }
    const unexpected = faults.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
    assert.deepEqual(unexpected, [], "the page reported faults");
  } finally {
    await context.close();
  }
}

/** What somebody who watched would have seen when a visit failed: a wait that ran out says nothing of it. */
async function seen(page, faults) {
  const main = page.locator("main").first();
  const text = await main.innerText({ timeout: 2_000 }).catch(() => "nothing that could be read");
  return `\n  at ${page.url()}\n  faults: ${faults.join("; ") || "none"}\n  shown: ${text.replace(/\s+/g, " ").slice(0, 1_500)}`;
}

/** Collects the faults of every page of the context, pop-ups included. */
function listen(context) {
  const faults = [];
  context.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" || /hydrat/i.test(text)) {
      faults.push(`console ${message.type()}: ${text} (${message.location().url})`);
    }
  });
  context.on("weberror", (error) => faults.push(`uncaught: ${error.error().stack ?? error.error()}`));
  return faults;
}

/** Runs in the page: makes a blocked image, style or script an error like any other. */
function reportBlockedContent() {
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile, lineNumber }) => {
    console.error(`content security policy: ${violatedDirective} blocked ${blockedURI} (${sourceFile}:${lineNumber})`);
  });
}
