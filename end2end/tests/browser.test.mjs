import assert from "node:assert/strict";
import { test } from "node:test";

import { seriousFaults } from "../lib/accessibility.mjs";
import { PHONE, withPage } from "../lib/browser.mjs";

const pageWith = (html) => `data:text/html,${encodeURIComponent(`<!doctype html><html lang="en"><title>Page</title>${html}`)}`;

test("a page is shown in the size and theme asked for", async () => {
  await withPage({ viewport: PHONE, theme: "dark" }, async (page) => {
    await page.goto(pageWith("<h1>Millrace</h1>"));
    assert.equal(await page.getByRole("heading").textContent(), "Millrace");
    assert.equal(await page.evaluate(() => innerWidth), PHONE.width);
    assert.equal(await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches), true);
  });
});

test("without JavaScript no script runs", async () => {
  await withPage({ javaScript: false }, async (page) => {
    await page.goto(pageWith("<p>as sent</p><script>document.querySelector('p').textContent = 'changed'</script>"));
    assert.equal(await page.locator("p").textContent(), "as sent");
  });
});

const FAULTS = {
  "a console error": "<script>console.error('broken')</script>",
  "an uncaught exception": "<script>setTimeout(() => { throw new Error('broken') })</script>",
  "a hydration warning": "<script>console.warn('unexpected node while hydrating')</script>",
  "blocked content":
    "<meta http-equiv='Content-Security-Policy' content=\"img-src 'none'\"><img src='data:image/png;base64,AA=='>",
};

for (const [fault, html] of Object.entries(FAULTS)) {
  test(`${fault} fails the visit`, async () => {
    const visit = withPage({}, async (page) => {
      await page.goto(pageWith(html));
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)));
    });
    await assert.rejects(visit, /the page reported faults/);
  });
}

test("a fault that was provoked on purpose may be expected", async () => {
  await withPage({ expected: [/broken/] }, async (page) => page.goto(pageWith(FAULTS["a console error"])));
});

test("a field without a label is a serious accessibility fault", async () => {
  await withPage({}, async (page) => {
    await page.goto(pageWith("<main><h1>Page</h1><input></main>"));
    const faults = await seriousFaults(page);
    assert.equal(faults.length, 1);
    assert.match(faults[0], /^label: /);
  });
});
