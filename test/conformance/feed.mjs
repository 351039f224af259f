const DEADLINE = 15_000;

const SUBSCRIPTION = `subscription ($after: String) {
  events(after: $after) { cursor kind isReplay event { id type } }
}`;

// Feed is one subscription to `events`: it keeps every message and lets a check wait for one of them.
export class Feed {
  messages = [];
  #ended = null;
  #wake = () => {};
  #disconnect;

  // connect is what differs between transports: it takes the request and a sink with next, error and complete, as the
  // graphql-ws and graphql-sse clients have it, and returns a function that cuts the connection.
  constructor(connect, after = null) {
    this.#disconnect = connect({ query: SUBSCRIPTION, variables: { after } }, {
      next: (result) => this.#add(result),
      error: (cause) => this.#end(`an error: ${describe(cause)}`),
      complete: () => this.#end('a regular end'),
    });
  }

  // until waits for the first message after the first `from` that fits, and returns how many messages there are up to
  // and with it.
  async until(fits, what, from = 0) {
    const deadline = AbortSignal.timeout(DEADLINE);
    deadline.addEventListener('abort', () => this.#wake());
    for (;;) {
      const index = this.messages.findIndex((message, i) => i >= from && fits(message));
      if (index >= 0) return index + 1;
      if (this.#ended) throw new Error(`${this.#ended} came before ${what}; ${this.#seen()}`);
      if (deadline.aborted) throw new Error(`${what} did not come within ${DEADLINE / 1000} s; ${this.#seen()}`);
      await new Promise((resolve) => { this.#wake = resolve; });
    }
  }

  // data is what was sent with an event, in the order of arrival.
  get data() {
    return this.messages.filter(({ kind }) => kind === 'DATA');
  }

  disconnect() {
    this.#disconnect();
  }

  #add({ data, errors }) {
    if (errors?.length) this.#end(`errors: ${JSON.stringify(errors)}`);
    else this.messages.push(data.events);
    this.#wake();
  }

  #end(how) {
    this.#ended ??= how;
    this.#wake();
  }

  #seen() {
    return `seen: ${this.messages.map(({ kind, cursor, event }) => `${kind} ${cursor} ${event?.type ?? ''}`).join(', ') || 'nothing'}`;
  }
}

function describe(cause) {
  if (typeof cause?.code === 'number') return `the socket closed with ${cause.code} ${cause.reason}`;
  return cause?.message ?? JSON.stringify(cause);
}
