// What all checks share: where the server is, how a check is counted and how its result is printed.

import { fileURLToPath } from 'node:url';

// server reads from the environment which server to ask and with which key.
export function server() {
  const url = process.env.KEYWRIGHT_URL;
  const key = process.env.KEYWRIGHT_KEY;
  if (!url || !key) {
    console.error('set KEYWRIGHT_URL (such as http://127.0.0.1:8080) and KEYWRIGHT_KEY (a bearer key)');
    process.exit(2);
  }
  return { graphql: new URL('/graphql', url), key, authorization: `Bearer ${key}` };
}

// schemaPath is the contract that is checked without a server.
export const schemaPath = fileURLToPath(new URL('../../schema.graphqls', import.meta.url));

export class Report {
  #passed = 0;
  #failed = 0;

  // check runs one check and prints one line for it. A check fails by throwing.
  async check(name, run) {
    try {
      await run();
      this.#passed++;
      console.log(`ok    ${name}`);
    } catch (error) {
      this.#failed++;
      console.log(`FAIL  ${name}: ${String(error?.message ?? error).replaceAll('\n', '\n      ')}`);
    }
  }

  // finish prints the sum and ends the process: connections that a failed check left open must not keep it alive.
  finish() {
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    process.exit(this.#failed === 0 && this.#passed > 0 ? 0 : 1);
  }
}
