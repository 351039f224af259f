const KEPT = 100;

// createFeed keeps the latest messages of a subscription, newest first, because the response pane shows one value at a
// time and messages often come in bursts. Of several checkpoints in a row only the newest stays.
export function createFeed() {
  let messages = [];
  return {
    add(result) {
      const rest = isCheckpoint(result) && isCheckpoint(messages[0]) ? messages.slice(1) : messages;
      messages = [result, ...rest].slice(0, KEPT);
      return { newestFirst: messages };
    },
  };
}

function isCheckpoint(result) {
  return Object.values(result?.data ?? {}).some((message) => message?.kind === 'CHECKPOINT');
}
