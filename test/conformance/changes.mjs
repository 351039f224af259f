import { randomUUID } from 'node:crypto';

// Changes makes changes over plain HTTP. Each round ends with the event ORGANIZATION_CREATED, so that who reads the
// feed knows when it has seen everything of the round.
export class Changes {
  #server;
  #organizationId;

  constructor(server) {
    this.#server = server;
  }

  // organize creates the organization that the applications of later rounds belong to.
  async organize() {
    const { organization } = await this.#mutate('createOrganization', 'organization { id }', { name: unique('Organization') });
    this.#organizationId = organization.id;
  }

  // round creates an application, which makes several events at once, and then an organization.
  async round() {
    const input = { name: unique('Application'), organizationId: this.#organizationId };
    await this.#mutate('createApplication', 'application { id }', input);
    await this.#mutate('createOrganization', 'organization { id }', { name: unique('Organization') });
  }

  async #mutate(field, selection, input) {
    const type = `${field[0].toUpperCase()}${field.slice(1)}Input`;
    const query = `mutation ($input: ${type}!) { ${field}(input: $input) { ${selection} userErrors { code message path } } }`;
    const response = await fetch(this.#server.graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json', authorization: this.#server.authorization },
      body: JSON.stringify({ query, variables: { input } }),
      signal: AbortSignal.timeout(15_000),
    });
    const { data, errors } = await response.json();
    const payload = data?.[field];
    if (errors?.length || !payload || payload.userErrors.length) {
      throw new Error(`${field} failed: ${JSON.stringify(errors ?? payload)}`);
    }
    return payload;
  }
}

function unique(noun) {
  return `${noun} ${randomUUID()}`;
}
