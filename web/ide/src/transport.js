import { getOperationAST, parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { createFeed } from './feed.js';

// createTransport sends queries and mutations by POST and subscriptions over graphql-transport-ws, all to the one
// endpoint and all with the same key.
export function createTransport(endpoint, key) {
  const authorization = key ? { authorization: `Bearer ${key}` } : {};
  const client = createClient({
    url: socketURL(endpoint),
    connectionParams: authorization,
    // The client would subscribe anew without a cursor, and the events in between would be missing without a word.
    retryAttempts: 0,
  });

  function fetcher(params, { documentAST } = {}) {
    if (isSubscription(params, documentAST)) return { subscribe: (observer) => subscribe(client, params, observer) };
    return post(endpoint, authorization, params);
  }
  return { fetcher, dispose: () => client.dispose() };
}

function socketURL(endpoint) {
  const url = new URL(endpoint);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

function isSubscription({ query, operationName }, documentAST) {
  try {
    return getOperationAST(documentAST ?? parse(query), operationName)?.operation === 'subscription';
  } catch {
    return false; // The server says what is wrong with the document.
  }
}

async function post(endpoint, authorization, params) {
  const response = await send(endpoint, authorization, params);
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw failure(`the server answered ${response.status} without JSON: ${text.slice(0, 200)}`);
  }
}

async function send(endpoint, authorization, params) {
  try {
    return await fetch(endpoint, {
      method: 'POST',
      headers: {
        accept: 'application/graphql-response+json, application/json',
        'content-type': 'application/json',
        ...authorization,
      },
      body: JSON.stringify(params),
    });
  } catch {
    throw failure('the server cannot be reached');
  }
}

function subscribe(client, params, observer) {
  const feed = createFeed();
  const stop = client.subscribe(params, {
    next: (result) => observer.next(feed.add(result)),
    error: (cause) => observer.error(reason(cause)),
    complete: () => observer.complete(),
  });
  return { unsubscribe: stop };
}

// reason turns what the client reports (a list of GraphQL errors, a close event or an Error) into something to show.
function reason(cause) {
  if (Array.isArray(cause)) return cause;
  if (cause instanceof CloseEvent) return failure(`the socket closed: ${cause.code} ${cause.reason}`.trim());
  return failure(cause?.message || 'the socket cannot be opened');
}

// failure is a plain object because GraphiQL shows the stack of an Error to the user.
function failure(message) {
  return { message };
}
