// The GraphQL-over-HTTP audits of graphql-http. Recommendations count like requirements: all must be ok.
import { serverAudits } from 'graphql-http';
import assert from 'node:assert/strict';
import { Report, server } from './report.mjs';

const AUDITS = 61;

const { graphql, authorization } = server();
const report = new Report();
const audits = serverAudits({ url: graphql.href, fetchFn: fetchWithKey });

for (const audit of audits) {
  await report.check(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', `${result.status}: ${result.reason}`);
  });
}
if (audits.length !== AUDITS) {
  await report.check('the number of audits', () => assert.equal(audits.length, AUDITS));
}
report.finish();

function fetchWithKey(url, init = {}) {
  const headers = new Headers(init.headers);
  headers.set('authorization', authorization);
  return fetch(url, { ...init, headers, signal: AbortSignal.timeout(15_000) });
}
