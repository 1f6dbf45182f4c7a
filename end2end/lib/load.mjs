// A fixed rate of requests, whatever the answers do: a loop that waits for answers hides a server that stalls.

import { Agent } from "node:http";

/** Sends requests at their time, and keeps how late each answer came and what is told of it. */
export class Load {
  #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #predict;
  #rate;
  #instance;
  #judge;
  #sent = 0;
  #open = new Set();
  #seen = [];
  #began = performance.now();
  #timer;

  /**
   * @param {(instances: object[], agent: Agent) => Promise<{ status: number, text: string }>} predict
   * @param {number} rate requests a second
   * @param {(number: number) => object} instance what is asked
   * @param {(answer: object, number: number) => { good?: boolean }} judge what is to be kept of an answer; one that is not good counts as none
   */
  constructor(predict, rate, instance, judge) {
    this.#predict = predict;
    this.#rate = rate;
    this.#instance = instance;
    this.#judge = judge;
    this.#timer = setInterval(() => this.#send(), 2);
  }

  #send() {
    const due = ((performance.now() - this.#began) / 1000) * this.#rate;
    for (; this.#sent < due; this.#sent += 1) {
      const at = this.#began + (this.#sent / this.#rate) * 1000;
      const asked = this.#ask(at, this.#sent).finally(() => this.#open.delete(asked));
      this.#open.add(asked);
    }
  }

  async #ask(at, number) {
    try {
      const { status, text } = await this.#predict([this.#instance(number)], this.#agent);
      const late = performance.now() - at;
      this.#seen.push({ late, good: status === 200, ...(status === 200 ? this.#judge(JSON.parse(text), number) : {}) });
    } catch {
      this.#seen.push({ late: performance.now() - at, good: false });
    }
  }

  async stop() {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    this.#agent.destroy();
  }

  /**
   * What was seen since the last time.
   *
   * @param {(seen: object[]) => object} more what else is counted of it
   */
  take(more) {
    const seen = this.#seen;
    this.#seen = [];
    const late = seen.map((one) => one.late).sort((a, b) => a - b);
    const at = (share) => Number((late[Math.floor(share * (late.length - 1))] ?? Number.NaN).toFixed(3));
    return {
      requests: seen.length,
      not_answered: seen.filter((one) => !one.good).length,
      ...more(seen),
      p50_ms: at(0.5),
      p99_ms: at(0.99),
      p999_ms: at(0.999),
    };
  }
}
