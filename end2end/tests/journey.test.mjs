// Three people take a problem from its document to a prediction, in a browser, with and without JavaScript.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { DESKTOP, PHONE, withPage } from "../lib/browser.mjs";
import { startServer } from "../lib/server.mjs";

let server;
before(async () => (server = await startServer()));
after(async () => server?.stop());

const ADMIN = { email: "admin@example.org", name: "Admin", password: "a long admin password" };
const ENGINEER = { email: "engineer@example.org", name: "Engineer", password: "a long engineer password", role: "ml_engineer" };
const STAKEHOLDER = { email: "signer@example.org", name: "Signer", password: "a long signer password", role: "stakeholder" };

const document = (slug) => `
slug = "${slug}"
title = "Is the parcel big?"
decision = "Which shelf it goes to"
[target]
name = "big"
kind = "binary"
column = "big"
[data]
split = { kind = "random", validation = 0.2, test = 0.2, seed = 1 }
[[features]]
name = "x"
[success]
metric = "roc_auc"
at_least = 0.6
`;

const ROWS = `x,big\n${Array.from({ length: 400 }, (_, row) => {
  const x = (row * 37) % 101;
  return `${x},${x + ((row * 13) % 29) > 60 ? 1 : 0}`;
}).join("\n")}\n`;

async function signIn(page, person) {
  await page.goto("/sign-in");
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/");
}

async function as(person, options, visit) {
  await withPage({ baseUrl: server.url, ...options }, async (page) => {
    await signIn(page, person);
    await visit(page);
  });
}

test("the first admin is made by the printed link and adds two people", async () => {
  const [, link] = await server.printed(/(http:\/\/\S+\/set-up\?code=\S+)/);
  await withPage({ baseUrl: server.url }, async (page) => {
    await page.goto(link);
    await page.getByLabel("E-mail").fill(ADMIN.email);
    await page.getByLabel("Name", { exact: true }).fill(ADMIN.name);
    await page.getByLabel("Password").fill(ADMIN.password);
    await page.getByRole("button", { name: "Create the account" }).click();
    await page.waitForURL("**/");
  });
  for (const person of [ENGINEER, STAKEHOLDER]) {
    await as(ADMIN, {}, async (page) => {
      await page.goto("/people?add=1");
      const add = page.locator("form[action*=add_person]");
      await add.getByLabel("Name", { exact: true }).fill(person.name);
      await add.getByLabel("E-mail").fill(person.email);
      await add.getByLabel("First password").fill(person.password);
      await add.locator(`input[value=${person.role}]`).check();
      await add.getByRole("button", { name: "Add person" }).click();
      await page.getByText(person.email).first().waitFor();
    });
  }
});

for (const javaScript of [true, false]) {
  const slug = javaScript ? "parcels" : "parcels-plain";
  const how = javaScript ? "with JavaScript" : "without JavaScript";
  const options = { javaScript, viewport: javaScript ? DESKTOP : PHONE };

  test(`a problem goes from its document to a live model ${how}`, async () => {
    await as(ENGINEER, options, async (page) => {
      await page.goto("/problems/new");
      await page.locator("textarea[name=text]").fill(document(slug));
      await page.getByRole("main").locator("button[type=submit]").first().click();
      await page.waitForURL(`**/problems/${slug}/v/1**`);
      await page.getByRole("button", { name: "Submit for review" }).click();
      await page.getByText("In review").first().waitFor();
    });
    await as(STAKEHOLDER, options, async (page) => {
      await page.getByRole("link", { name: new RegExp(`Sign off ${slug}:`) }).click();
      await page.getByRole("button", { name: "Approve" }).click();
      await page.getByText("Approved").first().waitFor();
    });
    await as(ENGINEER, options, async (page) => {
      await page.goto(`/datasets/new?problem=${slug}`);
      await page.getByLabel("Name of the dataset").fill("parcels");
      await page.locator("input[type=file]").setInputFiles({
        name: "parcels.csv",
        mimeType: "text/csv",
        buffer: Buffer.from(ROWS),
      });
      await page.getByRole("main").locator("button[type=submit]").first().click();
      await page.waitForURL("**/datasets/*/v/1**");
      await reloadUntil(page, () => page.locator("[data-state=valid]").first().isVisible());
      await page.goto(`/runs/new?problem=${slug}`);
      await page.getByRole("main").locator("form[method=post] button[type=submit]").first().click();
      await page.waitForURL(/\/runs\/\d+/);
      await reloadUntil(page, () => page.locator("[data-state=succeeded]").first().isVisible());
    });
    await as(STAKEHOLDER, options, async (page) => {
      await page.goto(`/models/${slug}/v/1`);
      await page.getByRole("button", { name: "Approve" }).click();
      await page.locator("[data-state=approved]").first().waitFor();
    });
    await as(ENGINEER, options, async (page) => {
      await page.goto(`/models/${slug}/v/1`);
      const live = page.locator("form[action*=deploy]");
      await live.locator("textarea[name=reason]").fill("first version");
      await live.getByRole("button", { name: "Put version 1 live" }).click();
      await page.goto(`/deployments/${slug}`);
      await page.locator("[data-state=live], [data-state=full]").first().waitFor();
    });
  });
}

/** Reloads until it is so: what a visitor without scripts sees by itself every three seconds. */
async function reloadUntil(page, isSo) {
  for (let look = 0; look < 100; look += 1) {
    if (await isSo()) return;
    await page.waitForTimeout(200);
    if (look % 5 === 4) await page.reload();
  }
  assert.fail(`${page.url()} did not come to it: ${(await page.getByRole("main").textContent()).slice(0, 600)}`);
}
