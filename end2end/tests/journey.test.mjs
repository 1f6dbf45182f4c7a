// Three people take a problem from its document to a prediction, in a browser, with and without JavaScript.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { seriousFaults } from "../lib/accessibility.mjs";
import { DESKTOP, PHONE, withPage } from "../lib/browser.mjs";
import { eventually } from "../lib/deployment.mjs";
import { startServer } from "../lib/server.mjs";

let server;
before(async () => (server = await startServer()));
after(async () => server?.stop());

const ADMIN = { email: "admin@example.org", name: "Admin", password: "a long admin password" };
const ENGINEER = { email: "engineer@example.org", name: "Engineer", password: "a long engineer password", role: "ml_engineer" };
const STAKEHOLDER = { email: "signer@example.org", name: "Signer", password: "a long signer password", role: "stakeholder" };

const document = (slug, more = "") => `
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
[serving]
fallback = { label = "0", score = 0.1 }
${more}`;

const WATCHED = `
[monitoring]
window = "5s"
drift = { metric = "psi", threshold = 0.2, windows = 1 }
min_rows = 50
[notify]
on_call = ["${ENGINEER.email}"]
`;

const ROWS = `x,big\n${Array.from({ length: 400 }, (_, row) => {
  const x = (row * 37) % 101;
  return `${x},${x + ((row * 13) % 29) > 60 ? 1 : 0}`;
}).join("\n")}\n`;

const dated = (slug) => `
slug = "${slug}"
title = "Is the crate big?"
decision = "Which shelf it goes to"
target = { name = "big", kind = "binary", column = "big" }
data = { event_time = "at", split = { kind = "time", validation = 0.1, test = 0.2 } }
features = [{ name = "x" }, { name = "noise" }]
success = { metric = "roc_auc", at_least = 0.6 }
monitoring = { window = "1d", drift = { metric = "psi", threshold = 0.25, windows = 1 }, min_rows = 50 }
retraining = { on_drift = true, cool_down = "1d", promote = "automatic" }
`;

const PAST = `at,x,noise,big\n${Array.from({ length: 3000 }, (_, row) => {
  const [x, noise] = [(row * 37) % 101, (row * 13) % 29];
  return `${new Date(Date.UTC(2026, 0, 1) + row * 864_000).toISOString()},${x},${noise},${x + noise > 60 ? 1 : 0}`;
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

test("the first admin is made by the printed link and invites two people, who choose their passwords", async () => {
  const [, link] = await server.printed(/(http:\/\/\S+\/set-up\?code=\S+)/);
  await withPage({ baseUrl: server.url }, async (page) => {
    await page.goto(link);
    await page.getByLabel("E-mail").fill(ADMIN.email);
    await page.getByLabel("Name", { exact: true }).fill(ADMIN.name);
    await page.getByLabel("Password").fill(ADMIN.password);
    await page.getByRole("button", { name: "Create the account" }).click();
    await page.waitForURL("**/");
  });
  for (const [person, javaScript] of [
    [ENGINEER, true],
    [STAKEHOLDER, false],
  ]) {
    await as(ADMIN, { javaScript }, async (page) => {
      await page.goto("/people?invite=1");
      const invite = page.locator("form[action*=invite_person]");
      await invite.getByLabel("Name", { exact: true }).fill(person.name);
      await invite.getByLabel("E-mail").fill(person.email);
      await invite.locator(`input[value=${person.role}]`).check();
      await invite.getByRole("button", { name: "Send the invitation" }).click();
      await page.getByText(person.email).first().waitFor();
    });
    const [invitation] = /http:\S+\/invite\?code=\S+/.exec(await server.letter(person.email, "invitation"));
    await withPage({ javaScript, viewport: PHONE, baseUrl: server.url }, async (page) => {
      await page.goto(invitation);
      await page.getByLabel("Password").fill(person.password);
      await page.getByRole("button", { name: "Set the password" }).click();
      await page.waitForURL("**/");
    });
  }
});

for (const javaScript of [true, false]) {
  const slug = javaScript ? "parcels" : "parcels-plain";
  const how = javaScript ? "with JavaScript" : "without JavaScript";
  const options = { javaScript, viewport: javaScript ? DESKTOP : PHONE };

  test(`a problem goes from its document to a prediction ${how}`, async () => {
    await as(ENGINEER, options, async (page) => {
      await page.goto("/problems/new");
      await page.locator("textarea[name=text]").fill(document(slug, WATCHED));
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
      await reloadUntil(page, () => page.locator(".page-title [data-state=succeeded]").isVisible());
    });
    await as(STAKEHOLDER, options, async (page) => {
      await page.goto(`/models/${slug}/v/1`);
      await page.getByRole("button", { name: "Approve" }).click();
      await page.locator("[data-state=approved]").first().waitFor();
    });
    await as(ENGINEER, options, async (page) => {
      await page.goto(`/models/${slug}/v/1`);
      const live = page.locator("form[action*=start_rollout]");
      await live.locator("textarea[name=reason]").fill("first version");
      // Leaving the page before the answer would call the request off.
      const answered = page.waitForResponse((response) => response.url().includes("/fn/start_rollout"));
      await live.getByRole("button", { name: "Put version 1 live" }).click();
      await answered;
      await page.goto(`/deployments/${slug}`);
      await page.locator("[data-state=live], [data-state=full]").first().waitFor();
      const token = await makeToken(page, "predict");
      let answer;
      await eventually("an answer", async () => {
        answer = await page.request.post(`/v1/models/${slug}:predict`, {
          headers: { authorization: `Bearer ${token}` },
          data: { instances: [{ x: 90 }, { x: 5 }] },
        });
        return answer.status() === 200;
      });
      const { predictions } = await answer.json();
      assert.ok(predictions[0].score > predictions[1].score, JSON.stringify(predictions));
    });
  });

  test(`a second version sets out beside the first and is taken back in two clicks ${how}`, async () => {
    await as(ENGINEER, options, async (page) => {
      await page.goto(`/runs/new?problem=${slug}`);
      await page.getByRole("main").locator("form[method=post] button[type=submit]").first().click();
      await page.waitForURL(/\/runs\/\d+/);
      await reloadUntil(page, () => page.locator(".page-title [data-state=succeeded]").isVisible());
    });
    await as(STAKEHOLDER, options, async (page) => {
      await page.goto(`/models/${slug}/v/2`);
      await page.getByRole("button", { name: "Approve" }).click();
      await page.locator("[data-state=approved]").first().waitFor();
    });
    await as(ENGINEER, options, async (page) => {
      await page.goto(`/models/${slug}/v/2`);
      const out = page.locator("form[action*=start_rollout]");
      await out.locator("textarea[name=reason]").fill("trained once more");
      await out.getByRole("button", { name: "Roll out version 2" }).click();
      await page.waitForURL(`**/deployments/${slug}**`);
      await page.getByRole("heading", { name: "Rollout of version 2" }).waitFor();
      await page.getByText("Version 2 in shadow beside version 1").first().waitFor();
      const back = page.locator("form[action*=roll_back]");
      await back.locator("textarea[name=reason]").fill("not this week");
      // A look is taken meanwhile; what was typed is still there.
      await page.waitForTimeout(4000);
      await back.getByRole("button", { name: "Roll back to v1" }).click();
      await page.getByText("Rolled back from version 2 to version 1").first().waitFor();
      await reloadUntil(page, () => page.getByText("In place on 1 server after").first().isVisible());
      assert.equal(await page.getByText("not this week").first().isVisible(), true);
    });
  });

  test(`a regression case stops a run, and those who answer for the decision let it go on ${how}`, async () => {
    await as(STAKEHOLDER, options, async (page) => {
      await page.goto(`/problems/${slug}/cases`);
      await page.getByLabel("Name", { exact: true }).fill("a small one that is big");
      await page.getByLabel("Inputs").fill('{"x": 1}');
      await page.getByLabel("Score at least").fill("0.99");
      await page.getByRole("button", { name: "Keep the case" }).click();
      await page.getByText("score at least 0.99").waitFor();
    });
    let run;
    await as(ENGINEER, options, async (page) => {
      await page.goto(`/runs/new?problem=${slug}`);
      await page.getByRole("main").locator("form[method=post] button[type=submit]").first().click();
      await page.waitForURL(/\/runs\/\d+/);
      await reloadUntil(page, () => page.locator("[data-state=rejected]").first().isVisible());
      run = new URL(page.url()).pathname;
      assert.equal(await page.getByRole("button", { name: "Override the gates" }).isDisabled(), true);
    });
    await as(STAKEHOLDER, options, async (page) => {
      await page.goto(run);
      const form = page.locator("form[action*=override_gates]");
      await form.locator("textarea[name=reason]").fill("the case is disputed");
      await form.getByRole("button", { name: "Override the gates" }).click();
      await page.waitForURL(`**/models/${slug}/v/3`);
      await page.getByText("Gates overridden by Signer").waitFor();
      await page.goto(`/problems/${slug}/cases`);
      await page.getByRole("link", { name: "Retire a small one that is big" }).click();
      await page.locator("textarea[name=reason]").fill("it was mislabelled");
      await page.getByRole("button", { name: "Retire the case" }).click();
      await page.getByText("No regression cases yet").waitFor();
    });
  });

  test(`a model is switched off and on again, and how long a change takes is measured ${how}`, async () => {
    await as(ENGINEER, options, async (page) => {
      await page.goto(`/deployments/${slug}`);
      const form = page.locator("form[action*=switch_model]");
      await form.locator("textarea[name=reason]").fill("answers are wrong");
      await form.getByRole("button", { name: "Switch off" }).click();
      await page.getByText("The model is switched off", { exact: true }).waitFor();
      await form.getByRole("button", { name: "Switch on" }).waitFor();
      assert.equal(await form.locator("textarea[name=reason]").inputValue(), "", "the reason for the one way is not for the other");
      await form.locator("textarea[name=reason]").fill("right again");
      await form.getByRole("button", { name: "Switch on" }).click();
      await page.getByText("Version 1 answers again").first().waitFor();
      await page.getByRole("button", { name: "Measure it" }).click();
      await page.waitForURL(`**/deployments/${slug}/changes/*`);
      await page.getByText("In place on 1 server after").waitFor();
    });
  });

  test(`a policy is rehearsed over the past before anybody signs it ${how}`, async () => {
    const slug = javaScript ? "crates" : "crates-plain";
    const expected = javaScript ? [/Failed to load resource.*400/] : [];
    await as(ENGINEER, { ...options, expected }, async (page) => {
      await page.goto("/problems/new");
      await page.locator("textarea[name=text]").fill(dated(slug));
      await page.getByRole("main").locator("button[type=submit]").first().click();
      await page.waitForURL(`**/problems/${slug}/v/1**`);
      await page.getByRole("link", { name: "Rehearsals" }).click();
      await page.getByText("No version of its data is valid yet.").waitFor();
      await page.goto(`/datasets/new?problem=${slug}`);
      await page.getByLabel("Name of the dataset").fill("crates");
      await page.locator("input[type=file]").setInputFiles({
        name: "crates.csv",
        mimeType: "text/csv",
        buffer: Buffer.from(PAST),
      });
      await page.getByRole("main").locator("button[type=submit]").first().click();
      await page.waitForURL("**/datasets/*/v/1**");
      await reloadUntil(page, () => page.locator("[data-state=valid]").first().isVisible());
      await page.goto(`/problems/${slug}/rehearsals`);
      const form = page.locator("form[action*=ask_for_rehearsal]");
      await form.getByLabel("Trainer").selectOption("logistic");
      await form.getByLabel("Breaks").selectOption("x");
      await form.getByLabel("How", { exact: true }).selectOption("stuck");
      await form.getByRole("button", { name: "Rehearse" }).click();
      await page.getByText("Say from when on it breaks.").first().waitFor();
      assert.equal(await form.getByLabel("Breaks").inputValue(), "x");
      await form.locator("#drill_from").fill("2026-01-20");
      await form.getByRole("button", { name: "Rehearse" }).click();
      await page.waitForURL(/\/rehearsals\/\d+/);
      await reloadUntil(page, () => page.locator(".page-title [data-state=succeeded]").isVisible());
      await page.getByText(/The policy would have .* against ROC AUC/).waitFor();
      await page.getByRole("heading", { name: "Fire drill: x is stuck at its last value" }).waitFor();
      await page.getByRole("link", { name: "Change it and rehearse again" }).click();
      await page.waitForURL("**/rehearsals?like=*");
      assert.equal(await form.getByLabel("Breaks").inputValue(), "x");
    });
  });

  test(`trials of a search are picked out of their picture ${how}`, async () => {
    await as(ENGINEER, options, async (page) => {
      await page.goto(`/runs/new?problem=${slug}`);
      const form = page.getByRole("main").locator("form[method=post]").first();
      await form.locator("select[name=trainer]").selectOption("logistic");
      if (javaScript) {
        // What stands in the fields is judged before it is sent, and kept where another problem is chosen.
        const space = form.locator("textarea[name=search]");
        const isInTheWay = page.getByRole("heading", { name: "What is in the way" });
        while (!(await isInTheWay.isVisible())) {
          await space.fill('{"alpha": {"low": 0.1, "high": 10, "scale": "log", "when": {"tolerance": 0.5}}}');
          await page.waitForTimeout(200);
        }
        await space.fill("");
        await page.getByRole("heading", { name: "Ready to launch" }).waitFor();
        await page.getByText(`${slug} v1 is signed off, with`).waitFor();
        await form.locator("input[name=seed]").fill("7");
        await page.getByRole("button", { name: "Choose" }).click();
        await page.waitForURL(/seed=7/);
        assert.equal(await form.locator("input[name=seed]").inputValue(), "7");
        assert.equal(await form.locator("select[name=trainer]").inputValue(), "logistic");
      }
      await form.locator("input[name=budget]").fill("6");
      await form.locator("button[type=submit]").first().click();
      await page.waitForURL(/\/runs\/\d+/);
      await reloadUntil(page, () => page.locator(".page-title [data-state=succeeded]").isVisible());
      await page.goto(`${new URL(page.url()).pathname}?tab=trials`);
      const caption = page.locator(".brushable figcaption");
      await caption.waitFor();
      if (javaScript) {
        await page.getByText("Drag up or down along an axis").waitFor();
        const picture = page.locator(".brushable svg.chart");
        await picture.scrollIntoViewIfNeeded();
        const box = await picture.boundingBox();
        // The objective, on the right; from below its foot to half of its height.
        const [x, unit] = [box.x + (box.width * 676) / 720, box.width / 720];
        await page.mouse.move(x, box.y + box.height - 10 * unit);
        await page.mouse.down();
        await page.mouse.move(x, box.y + box.height / 2, { steps: 4 });
        await page.mouse.up();
      } else {
        await page.getByText("Pick out by numbers").click();
        await page.getByLabel("Axis").selectOption({ index: 1 });
        await page.getByLabel("To, or another word").fill("1e9");
        await page.getByRole("button", { name: "Pick out" }).click();
      }
      await page.getByText(/\d of 6 lines lie within/).first().waitFor();
      await page.getByRole("link", { name: /^Let go of/ }).click();
      await page.getByText(/^Best validation ROC AUC .*6 lines/).first().waitFor();
      assert.ok(!page.url().includes("brush="), page.url());
    });
  });

  test(`a run is pinned above the others, and those that are chosen stay chosen ${how}`, async () => {
    await as(ENGINEER, options, async (page) => {
      await page.goto(`/runs?problem=${slug}&order_by=run`);
      const ids = await page.locator("tbody input[name=ids]").evaluateAll((boxes) => boxes.map((box) => box.value));
      assert.ok(ids.length > 1, `${ids}`);
      if (javaScript) {
        // Whether before or after the page comes alive.
        await page.getByLabel(`Choose run ${ids[0]}`, { exact: true }).check();
        await page.getByRole("button", { name: "Keys" }).waitFor();
        await page.getByLabel(`Choose run ${ids[1]}`, { exact: true }).check();
      }
      const last = ids.at(-1);
      await page.getByRole("link", { name: `Pin run ${last}`, exact: true }).click();
      await page.waitForURL(`**baseline=${last}**`);
      const top = page.locator("tbody > tr").first();
      await top.getByRole("link", { name: `Unpin run ${last}`, exact: true }).waitFor();
      assert.equal(await top.locator("th a").innerText(), `#${last}`);
      await page.locator("tbody .delta").first().waitFor();
      if (javaScript) {
        await page.getByRole("button", { name: "Compare the chosen runs" }).click();
        await page.getByRole("heading", { name: "Compare 2 runs" }).waitFor();
        assert.deepEqual(new URL(page.url()).searchParams.getAll("ids").sort(), ids.slice(0, 2).sort());
      }
    });
  });

  test(`an alias is moved and the move is undone ${how}`, async () => {
    await as(ENGINEER, options, async (page) => {
      for (const [version, reason] of [
        ["1", "it held"],
        ["2", "it is newer"],
      ]) {
        await page.goto(`/models/${slug}?alias=stable&to=${version}`);
        // Until the page has come alive the form goes out by itself, and the next page tells what it did.
        if (javaScript) await page.getByRole("button", { name: "Keys" }).waitFor();
        const form = page.locator("form[action*=move_alias]");
        await form.locator("textarea[name=reason]").fill(reason);
        await form.getByRole("button", { name: "Move the alias" }).click();
        await page.getByText(reason, { exact: false }).first().waitFor();
        if (javaScript) await page.locator(".toast", { hasText: "The alias stands as you said." }).first().waitFor();
      }
      await page.getByRole("link", { name: "Undo the last move of stable" }).click();
      assert.equal(await page.locator("form[action*=move_alias] input[name=version]").inputValue(), "1");
    });
  });
}

test("a figure is given out as a file, and its marks are read by arrow keys and by the pointer", async () => {
  await as(ENGINEER, { viewport: DESKTOP }, async (page) => {
    await page.goto("/runs?problem=parcels");
    await page.locator("main table a[href^='/runs/']").first().click();
    await page.waitForURL(/\/runs\/\d+/);
    await page.goto(`${new URL(page.url()).pathname}?tab=plots`);
    const figure = page.locator(".readable", { has: page.locator("svg.chart") }).first();
    const tip = figure.locator(".tip");
    // What scripts say of it.
    const plot = figure.locator(".figure-plot[aria-description]");
    await plot.waitFor();
    assert.ok(await tip.isHidden());
    const file = figure.getByRole("link", { name: /^Download .*csv$/ });
    const [given] = await Promise.all([page.waitForEvent("download"), file.click()]);
    assert.match(readFileSync(await given.path(), "utf8"), /^".+"\r\n"/);
    const read = [];
    await plot.focus();
    for (const key of ["ArrowRight", "End"]) {
      await page.keyboard.press(key);
      await tip.waitFor();
      read.push(await tip.textContent());
    }
    const marks = figure.locator(".mark");
    const words = (mark) => mark.getAttribute("data-words");
    assert.deepEqual(read, [await words(marks.first()), await words(marks.last())]);
    await page.keyboard.press("Escape");
    await tip.waitFor({ state: "hidden" });
    const others = page.locator(".readable", { has: page.locator("circle.mark") }).first();
    const [dot, told] = [others.locator("circle.mark").last(), others.locator(".tip")];
    await dot.scrollIntoViewIfNeeded();
    const box = await dot.boundingBox();
    await page.mouse.move(box.x + box.width / 2 + 1, box.y + box.height / 2 + 1);
    await told.waitFor();
    assert.equal(await told.textContent(), await words(dot));
    await page.mouse.move(0, 0);
    await told.waitFor({ state: "hidden" });
    assert.equal(await page.locator("[data-read]").count(), 0, "no mark stays lit");
  });
});

test("a table is given out as a file, as it stands", async () => {
  await as(ENGINEER, { viewport: DESKTOP }, async (page) => {
    await page.goto("/problems");
    const file = async (ending) => {
      const link = page.getByRole("link", { name: `Download problems.${ending}` });
      const [given] = await Promise.all([page.waitForEvent("download"), link.click()]);
      return readFileSync(await given.path(), "utf8");
    };
    const rows = JSON.parse(await file("json"));
    const shown = await page.locator("main table tbody tr").count();
    assert.equal(rows.length, shown);
    assert.ok(rows.some((row) => row.Problem.includes("parcels")), JSON.stringify(rows[0]));
    assert.equal((await file("csv")).trimEnd().split("\r\n").length, shown + 1);
  });
});

test("a cell of a confusion matrix leads to its rows by keyboard, and without JavaScript too", async () => {
  for (const javaScript of [true, false]) {
    await as(ENGINEER, { viewport: javaScript ? DESKTOP : PHONE, javaScript }, async (page) => {
      await page.goto("/runs?problem=parcels");
      await page.locator("main table a[href^='/runs/']").first().click();
      await page.waitForURL(/\/runs\/\d+/);
      await page.goto(`${new URL(page.url()).pathname}?tab=plots`);
      if (javaScript) await page.locator(".figure-plot[aria-description]").first().waitFor();
      const cell = page.locator("svg.chart a[href^='#rows-']").last();
      const place = (await cell.getAttribute("href")).slice(1);
      await cell.focus();
      await page.keyboard.press("Enter");
      await page.locator(`[id="${place}"] tbody tr`).first().waitFor();
      assert.equal(new URL(page.url()).hash, `#${place}`);
    });
  }
});

test("keys lead to a filter and to another page until they are switched off", async () => {
  await as(ENGINEER, { viewport: DESKTOP }, async (page) => {
    await page.goto("/runs");
    await page.getByRole("button", { name: "Keys" }).waitFor();
    await page.keyboard.press("/");
    const filter = page.locator("#run-filter");
    assert.ok(await filter.evaluate((field) => field === document.activeElement));
    await page.keyboard.type("g m");
    assert.equal(await filter.inputValue(), "g m", "where text is typed a letter is a letter");
    await filter.blur();
    await page.keyboard.press("g");
    await page.keyboard.press("m");
    await page.waitForURL("**/models");
    await page.keyboard.press("?");
    const dialog = page.getByRole("dialog", { name: "Keys" });
    await dialog.waitFor();
    await dialog.getByLabel("Keys without Ctrl or Alt work in this browser").uncheck();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await page.goto("/runs");
    await page.getByRole("button", { name: "Keys" }).waitFor();
    await page.keyboard.press("?");
    assert.ok(await dialog.isHidden(), "they are off in this browser from then on");
  });
});

test("quick search finds a page and a thing by the keyboard, on a phone and without JavaScript too", async () => {
  await as(ENGINEER, { viewport: DESKTOP }, async (page) => {
    await page.goto("/datasets");
    await page.getByRole("button", { name: "Keys" }).waitFor();
    await page.keyboard.press("Control+k");
    const dialog = page.getByRole("dialog", { name: "Search" });
    await dialog.waitFor();
    await page.keyboard.type("parcels v1");
    await dialog.locator("a[href='/models/parcels/v/1']").waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/models/parcels/v/1");
    await dialog.waitFor({ state: "hidden" });
    await page.keyboard.press("Control+k");
    await page.keyboard.type("aud");
    await dialog.getByText("1 found").waitFor();
    assert.deepEqual(await seriousFaults(page), []);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/audit");
  });
  await as(ENGINEER, { viewport: PHONE }, async (page) => {
    await page.goto("/runs");
    await page.getByText("Menu", { exact: true }).click();
    await page.getByRole("button", { name: "Keys" }).waitFor();
    await page.getByRole("link", { name: "Search" }).click();
    const dialog = page.getByRole("dialog", { name: "Search" });
    await dialog.getByRole("searchbox").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await page.keyboard.press("Control+k");
    assert.ok(await dialog.getByRole("searchbox").isVisible(), "whether the menu is open or not");
  });
  await as(ENGINEER, { javaScript: false }, async (page) => {
    await page.goto("/find?q=parcels+v1");
    await page.locator("main a[href='/models/parcels/v/1']").click();
    await page.waitForURL("**/models/parcels/v/1");
  });
});

test("a stakeholder goes from the letter to the approval without JavaScript on a phone", async () => {
  await as(ENGINEER, {}, async (page) => {
    await page.goto("/problems/new");
    await page.locator("textarea[name=text]").fill(document("by-mail"));
    await page.getByRole("main").locator("button[type=submit]").first().click();
    await page.waitForURL("**/problems/by-mail/v/1**");
    await page.getByRole("button", { name: "Submit for review" }).click();
    await page.getByText("In review").first().waitFor();
  });
  const [link] = /http:\S+\/problems\/by-mail\/v\/1\?tab=review/.exec(await server.letter(STAKEHOLDER.email, "review_request"));
  await withPage({ javaScript: false, viewport: PHONE, baseUrl: server.url }, async (page) => {
    await page.goto(link);
    await page.getByLabel("E-mail").fill(STAKEHOLDER.email);
    await page.getByLabel("Password").fill(STAKEHOLDER.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/problems/by-mail/v/1?tab=review");
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width, "nothing overflows");
    await page.getByLabel("Comment", { exact: true }).fill("The limit is what we agreed on.");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByText("The limit is what we agreed on.").waitFor();
    await page.getByText("1 of 1 approval").waitFor();
  });
});

/** The page of the alert that has fired. */
let alert;

test("whoever is on call acknowledges an alert from its letter on a phone, and looks at what drifted", async () => {
  let letter;
  await as(ENGINEER, {}, async (page) => {
    const token = await makeToken(page, "predict");
    const instances = Array.from({ length: 400 }, (_, row) => ({ x: 300 + (row % 50) }));
    const headers = { authorization: `Bearer ${token}` };
    // Sent until one of the windows of five seconds tells of it.
    const told = server.letter(ENGINEER.email, "incident");
    while (!letter) {
      const answer = await page.request.post("/v1/models/parcels:predict", { headers, data: { instances } });
      assert.equal(answer.status(), 200);
      letter = await Promise.race([told, page.waitForTimeout(2_000)]);
    }
  });
  assert.match(letter, /Subject: Drift/);
  const [link] = /http:\S+\/alerts\/\d+\/by-mail\?key=[\w.~-]+/.exec(letter);
  [alert] = /\/alerts\/\d+/.exec(link);
  await withPage({ javaScript: false, viewport: PHONE, baseUrl: server.url }, async (page) => {
    await page.goto(link);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width, "nothing overflows");
    await page.getByRole("button", { name: "Acknowledge" }).click();
    await page.locator("[data-state=acknowledged], [data-state=resolved]").first().waitFor();
  });
  await as(ENGINEER, {}, async (page) => {
    await page.goto(alert);
    await page.getByText("Engineer looks after it.").waitFor();
    await page.goto("/deployments/parcels/monitor?days=1&column=x");
    await page.getByRole("heading", { name: "x, closely" }).waitFor();
    await page.getByLabel("Held against").selectOption("month");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL("**/monitor?*baseline=month*");
    // Whether one window or more were filled before the letter came, there is too little to hold this one against, or enough.
    await page.getByText(/In the 30 days before this window|Its windows are held against them here/).first().waitFor();
    await page.getByRole("link", { name: "Try a rule" }).click();
    await page.getByRole("button", { name: "Send me a test letter" }).click();
    await page.getByText("A test letter to you is on its way.", { exact: false }).waitFor();
    assert.match(await server.letter(ENGINEER.email, "test"), /Nothing is wrong/);
  });
});

const PAGES = [
  "/",
  "/problems",
  "/problems/new",
  "/problems/parcels/v/1",
  "/problems/parcels/v/1?tab=document",
  "/problems/parcels/v/1?tab=changes",
  "/problems/parcels/v/1?tab=review",
  "/problems/parcels/cases",
  "/datasets",
  "/datasets/new",
  "/datasets/1",
  "/datasets/1/v/1",
  "/features",
  "/features/parcels",
  "/runs",
  "/runs/new",
  "/runs?order_by=seconds%20desc&columns=metrics.test.log_loss,seed",
  "/runs/compare?ids=1",
  "/runs/1",
  "/models",
  "/models/parcels",
  "/models/parcels/v/1",
  "/models/parcels/v/1/card",
  "/models/parcels/v/3",
  "/models/parcels/compare?a=1&b=2",
  "/predictions",
  "/find?q=parcels",
  "/deployments",
  "/deployments/parcels",
  "/deployments/parcels/changes/2",
  "/deployments/parcels/monitor",
  "/deployments/parcels/monitor?days=7&baseline=month",
  "/deployments/parcels/rule",
  "/problems/parcels/retraining",
  "/problems/parcels/rehearsals",
  "/problems/crates/retraining",
  "/problems/crates/rehearsals",
  "/rehearsals/1",
  "/alerts",
  "/people",
  "/audit",
  "/account",
  "/account?tab=security",
  "/account?tab=sessions",
  "/account?tab=tokens",
];
const ADMIN_PAGES = ["/people?invite=1", "/people?roles=2", "/people?person=2", "/mail", "/mail/1", "/audit?action=nothing."];
const OPEN_PAGES = ["/sign-in", "/forgot", "/invite?code=x", "/no/such/page"];

for (const theme of ["light", "dark"]) {
  test(`no page has a serious accessibility fault or overflows a phone, ${theme}`, async () => {
    const found = [];
    const look = async (page, paths) => {
      for (const path of paths) {
        await page.goto(path);
        for (const fault of await seriousFaults(page)) found.push(`${path}: ${fault}`);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        if (width > PHONE.width) found.push(`${path}: ${width} px wide on a phone`);
      }
    };
    const options = { theme, viewport: PHONE };
    await as(ENGINEER, options, async (page) => look(page, [...PAGES, alert]));
    await as(ADMIN, options, async (page) => look(page, ADMIN_PAGES));
    const expected = [/Failed to load resource.*404/];
    await withPage({ baseUrl: server.url, ...options, expected }, async (page) => look(page, OPEN_PAGES));
    assert.deepEqual(found, []);
  });
}

/** Makes a token on the account page and gives the secret that is shown once. */
async function makeToken(page, scope) {
  await page.goto("/account?tab=tokens");
  const form = page.locator("form[action*=create_token]");
  await form.getByLabel("Name", { exact: true }).fill("a client of the journey");
  await form.locator(`input[value=${scope}]`).check();
  await form.getByRole("button", { name: "Create token" }).click();
  return page.locator(".snippet code").filter({ hasText: /^mr_/ }).textContent();
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
