// A fixed rate of requests, whatever the answers do: a loop that waits for answers hides a server that stalls.

import { Agent } from "node:http";

/** Sends requests at their time, each about another entity, and keeps how late each answer came. */
export class Load {
  #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #predict;
  #rate;
  #instance;
  #mayAnswer;
  #sent = 0;
  #open = new Set();
  #seen = [];
  #began = performance.now();
  #timer;

  /**
   * @param {(instances: object[], agent: Agent) => Promise<{ status: number, text: string }>} predict
   * @param {number} rate requests a second
   * @param {(number: number) => object} instance what is asked
   * @param {(version: number) => boolean} [mayAnswer] whether a version may answer what was asked before and comes now
   */
  constructor(predict, rate, instance, mayAnswer = (version) => version === 1 || version === 2) {
    this.#predict = predict;
    this.#rate = rate;
    this.#instance = instance;
    this.#mayAnswer = mayAnswer;
    this.#timer = setInterval(() => this.#send(), 2);
  }

  #send() {
    const due = ((performance.now() - this.#began) / 1000) * this.#rate;
    for (; this.#sent < due; this.#sent += 1) {
      const at = this.#began + (this.#sent / this.#rate) * 1000;
      const asked = this.#ask(at, this.#instance(this.#sent)).finally(() => this.#open.delete(asked));
      this.#open.add(asked);
    }
  }

  async #ask(at, instance) {
    try {
      const { status, text } = await this.#predict([instance], this.#agent);
      const version = status === 200 ? JSON.parse(text).model_version : undefined;
      this.#seen.push({ late: performance.now() - at, good: status === 200 && this.#mayAnswer(version), version });
    } catch {
      this.#seen.push({ late: performance.now() - at, good: false });
    }
  }

  async stop() {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    this.#agent.destroy();
  }

  /** What was seen since the last time. */
  take() {
    const seen = this.#seen;
    this.#seen = [];
    const late = seen.map((one) => one.late).sort((a, b) => a - b);
    const at = (share) => Number((late[Math.floor(share * (late.length - 1))] ?? Number.NaN).toFixed(3));
    const by = (version) => seen.filter((one) => one.version === version).length;
    return {
      requests: seen.length,
      not_answered: seen.filter((one) => !one.good).length,
      by_version: { 1: by(1), 2: by(2) },
      p50_ms: at(0.5),
      p99_ms: at(0.99),
      p999_ms: at(0.999),
    };
  }
}
