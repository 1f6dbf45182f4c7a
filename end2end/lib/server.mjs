// A Millrace server of a test's own: a port that the kernel gives it, an empty home, its private Postgres in it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { Postgres } from "./postgres.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const READY_WITHIN_MS = 90_000;
const STOPPED_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 100;
const QUOTED_CHARACTERS = 4_000;

/**
 * Starts `millrace serve` and waits until it is ready.
 *
 * @param {object} [options]
 * @param {string[]} [options.args] more arguments of `serve`
 * @param {Record<string, string>} [options.env] more of its environment
 * @returns {Promise<Server>}
 */
export async function startServer({ args = [], env = {} } = {}) {
  const home = await mkdtemp(join(tmpdir(), "millrace-end2end-"));
  // Started by root, Postgres runs as another account, which has to be able to enter.
  await chmod(home, 0o755);
  const server = new Server(home, args, env);
  try {
    server.url = `http://${(await server.printed(/listening on ([^,\n]+),/))[1]}`;
    await server.ready();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

class Server {
  #process;
  #output = "";
  #killAtExit = () => this.#process.kill("SIGKILL");

  /** Where it answers, once it has said so. */
  url;

  constructor(home, args, env) {
    this.home = home;
    this.#process = spawn(binary(), ["serve", ...args], {
      cwd: ROOT,
      env: {
        ...process.env,
        DATABASE_URL: undefined,
        MILLRACE_SITE: process.env.MILLRACE_SITE ?? join(targetDirectory(), "site"),
        ...env,
        MILLRACE_HOME: home,
        MILLRACE_ADDR: "127.0.0.1:0",
        MILLRACE_BASE_URL: undefined,
        RUST_LOG: undefined,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (this.#output += text));
    }
    this.#process.on("error", (error) => (this.#output += `\n${error.message}`));
    process.on("exit", this.#killAtExit);
  }

  /** The number of its process. */
  get pid() {
    return this.#process.pid;
  }

  /** Everything that the server has printed: the one-time set-up link among it. */
  get output() {
    return this.#output;
  }

  /** Waits until the server has printed something that matches, and returns the match. */
  async printed(pattern) {
    return this.#eventually(`printing ${pattern}`, async () => pattern.exec(this.#output));
  }

  async ready() {
    await this.#eventually("being ready", async () => (await fetch(`${this.url}/readyz`).catch(() => undefined))?.ok);
  }

  /** The newest letter of that kind to an address, as the server keeps letters where no mail server is set. */
  async letter(to, kind) {
    const directory = join(this.home, "mail");
    return this.#eventually(`a letter ${kind} to ${to}`, async () => {
      const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith(`-${kind}.eml`));
      for (const name of names.sort().reverse()) {
        const content = await readFile(join(directory, name), "utf8");
        if (content.includes(`To: ${to}`)) return content.replaceAll("=\r\n", "").replaceAll("=3D", "=");
      }
      return undefined;
    });
  }

  /** Ends the server, and its Postgres with it, and removes its home. */
  async stop() {
    if (this.#isRunning()) {
      const ended = once(this.#process, "exit");
      this.#process.kill("SIGTERM");
      await Promise.race([ended, sleep(STOPPED_WITHIN_MS, undefined, { ref: false })]);
    }
    const overdue = this.#isRunning();
    if (overdue) this.#process.kill("SIGKILL");
    process.off("exit", this.#killAtExit);
    await rm(this.home, { recursive: true, force: true });
    if (overdue) throw new Error(`the server took longer than ${STOPPED_WITHIN_MS} ms to stop:\n${this.#lastOutput()}`);
  }

  async #eventually(what, look) {
    for (let waited = 0; waited < READY_WITHIN_MS; waited += LOOK_EVERY_MS) {
      const seen = await look();
      if (seen) return seen;
      if (!this.#isRunning()) throw new Error(`the server ended before ${what}:\n${this.#lastOutput()}`);
      await sleep(LOOK_EVERY_MS);
    }
    throw new Error(`the server wasn't seen ${what} within ${READY_WITHIN_MS} ms:\n${this.#lastOutput()}`);
  }

  #isRunning() {
    return this.#process.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  #lastOutput() {
    return this.#output.slice(-QUOTED_CHARACTERS);
  }
}

/**
 * Starts a further server on the database and the home of another one, and waits until it listens.
 *
 * @param {{ home: string }} first
 * @param {{ binary?: string, args?: string[], env?: Record<string, string> }} [options]
 * @returns {Promise<{ url: string, pid: number, output: () => string, stop: () => Promise<number | null> }>} `stop` gives its exit code
 */
export async function startBeside(first, { binary: program = binary(), args = [], env = {} } = {}) {
  const server = spawn(program, ["serve", ...args], {
    env: {
      ...process.env,
      DATABASE_URL: new Postgres(first.home).url,
      MILLRACE_SITE: process.env.MILLRACE_SITE ?? join(targetDirectory(), "site"),
      ...env,
      MILLRACE_HOME: first.home,
      MILLRACE_ADDR: "127.0.0.1:0",
      MILLRACE_BASE_URL: undefined,
      RUST_LOG: undefined,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(server, "exit");
  const kill = () => server.kill("SIGKILL");
  process.on("exit", kill);
  server.on("exit", () => process.off("exit", kill));
  let output = "";
  let listening;
  const url = await new Promise((resolve, reject) => {
    for (const stream of [server.stdout, server.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
        const [, found] = /listening on ([^,\n]+),/.exec(output) ?? [];
        if (found) listening(`http://${found}`);
      });
    }
    server.on("exit", () => reject(new Error(output)));
    const late = setTimeout(() => {
      kill();
      reject(new Error(`not within ${READY_WITHIN_MS} ms: ${output}`));
    }, READY_WITHIN_MS);
    late.unref();
    listening = (found) => {
      clearTimeout(late);
      resolve(found);
    };
  });
  const stop = async () => {
    server.kill("SIGTERM");
    setTimeout(kill, STOPPED_WITHIN_MS).unref();
    return (await ended)[0];
  };
  return { url, pid: server.pid, output: () => output, stop };
}

function binary() {
  return process.env.MILLRACE_BINARY ?? join(targetDirectory(), "debug", "millrace");
}

function targetDirectory() {
  return process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
}
