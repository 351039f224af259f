// The live feed over server-sent events in the distinct connections mode, as the graphql-sse client speaks it.
import { createClient } from 'graphql-sse';
import { Report, server } from './report.mjs';
import { checkFeed } from './resume.mjs';

const target = server();
const report = new Report();
await checkFeed(report, target, {
  connect: connector({ authorization: target.authorization }),
  anonymous: connector({}),
});
report.finish();

function connector(headers) {
  return (request, sink) => {
    const client = createClient({ url: target.graphql.href, headers, retryAttempts: 0 });
    client.subscribe(request, sink);
    return () => client.dispose();
  };
}
