// As many requests as so many connections get answered, by `wrk`: what a client itself costs is not counted with the server.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The numbers are those of wrk itself, which has no machine-readable form.
const SCRIPT = `
local bodies, at = {}, 0
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local method, headers = os.getenv("METHOD"), {}
if method == "POST" then
  headers = { ["Content-Type"] = "application/json", ["Authorization"] = os.getenv("AUTHORIZATION") }
end
request = function()
  at = at % #bodies + 1
  return wrk.format(method, nil, headers, bodies[at])
end
done = function(summary, latency)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format('{"requests":%d,"us":%d,"bad":%d,"p50_ms":%.3f,"p99_ms":%.3f}', summary.requests, summary.duration, bad,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
`;

/**
 * Posts the bodies in turn, or gets the page if there are none; each connection sends the next request once it was answered.
 *
 * @param {string} url
 * @param {{ connections: number, seconds: number, bodies?: string[], authorization?: string }} how
 * @returns {{ requests: number, us: number, bad: number, p50_ms: number, p99_ms: number }} `us`: how long it took, in microseconds
 */
export function wrk(url, { connections, seconds, bodies = [], authorization = "" }) {
  const folder = mkdtempSync(join(tmpdir(), "millrace-wrk-"));
  try {
    const [script, lines] = ["requests.lua", "bodies"].map((name) => join(folder, name));
    writeFileSync(script, SCRIPT);
    writeFileSync(lines, bodies.length === 0 ? "\n" : bodies.map((body) => `${body}\n`).join(""));
    const env = { ...process.env, BODIES: lines, AUTHORIZATION: authorization, METHOD: bodies.length === 0 ? "GET" : "POST" };
    const told = execFileSync("wrk", ["-t1", `-c${connections}`, `-d${seconds}s`, "-s", script, url], { env }).toString();
    return JSON.parse(/^{.*}$/m.exec(told)[0]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
