// The live feed over graphql-transport-ws, as the graphql-ws client speaks it.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { Report, server } from './report.mjs';
import { checkFeed } from './resume.mjs';

const target = server();
const report = new Report();
await checkFeed(report, target, {
  connect: connector({ authorization: target.authorization }),
  anonymous: connector(undefined),
});
report.finish();

function connector(connectionParams) {
  return (request, sink) => {
    const url = new URL(target.graphql);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const client = createClient({ url: url.href, webSocketImpl: WebSocket, connectionParams, retryAttempts: 0 });
    client.subscribe(request, sink);
    return () => client.terminate();
  };
}
