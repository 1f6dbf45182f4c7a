// The private Postgres of a bench's server: what it is told by SQL, and the processor time that it takes.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";

const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** Seconds of processor time that a process has used, and the children that it has waited for if they are asked for too. */
export function used(pid, withEnded = false) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
    return fields.slice(11, withEnded ? 15 : 13).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
  } catch {
    return 0;
  }
}

/** The server's own Postgres. */
export class Postgres {
  constructor(home) {
    const base = join(home, "postgres");
    const [pid, , , port] = readFileSync(join(base, "data", "postmaster.pid"), "utf8").split("\n");
    this.pid = Number(pid);
    this.psql = join(dirname(readlinkSync(`/proc/${pid}/exe`)), "psql");
    this.args = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", port.trim(), "-U", "millrace", "-d", "millrace"];
    const password = readFileSync(join(base, "password"), "utf8").trim();
    this.env = { ...process.env, PGPASSWORD: password };
    this.url = `postgres://millrace:${encodeURIComponent(password)}@127.0.0.1:${port.trim()}/millrace`;
  }

  /** Seconds of processor time that all of its processes have used, those that have ended too. */
  used() {
    const isChild = (pid) => {
      try {
        return Number(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ")[1]) === this.pid;
      } catch {
        return false;
      }
    };
    const children = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isChild(name));
    return children.reduce((sum, pid) => sum + used(pid), used(this.pid, true));
  }

  /** Runs statements beside others of its kind. */
  async run(statements) {
    const running = spawn(this.psql, this.args, { env: this.env, stdio: ["pipe", "ignore", "inherit"] });
    running.stdin.end(`${statements};`);
    const [code] = await once(running, "exit");
    if (code !== 0) throw new Error(`psql ended with ${code}`);
  }

  ask(statements) {
    return execFileSync(this.psql, this.args, { env: this.env, input: `${statements};`, encoding: "utf8", maxBuffer: 1 << 26 }).trim();
  }
}
