// The promise of the live feed, checked over whatever transport is given: events arrive live, and who was cut off and
// resumes with a cursor gets exactly what was missed, in order, once, marked as a replay.
import assert from 'node:assert/strict';
import { Changes } from './changes.mjs';
import { Feed } from './feed.mjs';

const isCheckpoint = ({ kind }) => kind === 'CHECKPOINT';
const endsRound = ({ event }) => event?.type === 'ORGANIZATION_CREATED';

// checkFeed takes connect (see Feed) with the key and anonymous, the same without a key.
export async function checkFeed(report, server, { connect, anonymous }) {
  const changes = new Changes(server);
  await report.check('a mutation over HTTP is answered', () => changes.organize());

  // The witness stays connected throughout; what it saw is what the others must see.
  const witness = new Feed(connect);
  const traveller = new Feed(connect);
  await report.check('a subscription opens with a CHECKPOINT that has a cursor', async () => {
    for (const feed of [witness, traveller]) {
      await feed.until((message) => isCheckpoint(message) && message.cursor, 'a CHECKPOINT');
      assert.equal(feed.data.length, 0, 'an event came before the CHECKPOINT');
    }
  });
  const start = traveller.messages[0]?.cursor;

  await report.check('events arrive live', async () => {
    await changes.round();
    for (const feed of [witness, traveller]) await feed.until(endsRound, 'ORGANIZATION_CREATED');
    const types = witness.data.map(({ event }) => event.type);
    assert.ok(types.includes('APPLICATION_CREATED'), `no APPLICATION_CREATED in ${types}`);
    assert.ok(witness.data.every(({ isReplay }) => isReplay === false), 'a live event is marked as a replay');
  });
  await report.check('two subscribers see the same', () => assert.deepEqual(traveller.data, witness.data));
  traveller.disconnect();

  await report.check('the feed goes on while another is cut off', async () => {
    const before = witness.messages.length;
    await changes.round();
    await witness.until(endsRound, 'ORGANIZATION_CREATED', before);
  });
  await checkResume(report, { connect, changes, witness }, [
    ['the last cursor seen', traveller.data.at(-1)?.cursor],
    ['the cursor of the first event, in the middle of a change', traveller.data[0]?.cursor],
    ['the cursor of the first CHECKPOINT', start],
  ]);
  await report.check('no event was sent twice and no cursor used twice', () => {
    for (const seen of [witness.data.map(({ event }) => event.id), witness.data.map(({ cursor }) => cursor)]) {
      assert.equal(new Set(seen).size, seen.length, `in ${seen}`);
    }
  });
  witness.disconnect();
  await report.check('without a key nothing is sent', () => checkRefused(anonymous));
}

async function checkResume(report, { connect, changes, witness }, cursors) {
  for (const [name, after] of cursors) {
    await report.check(`resuming after ${name} replays exactly what was missed, then goes on live`, async () => {
      assert.ok(after, 'there is no such cursor');
      const lived = dataAfter(witness.messages, after);
      assert.ok(lived.length > 0, 'nothing was missed');

      const resumed = new Feed(connect, after);
      const caughtUp = await resumed.until(({ cursor }) => cursor === lived.at(-1).cursor, 'the last event missed');
      assert.deepEqual(resumed.data, lived.map((message) => ({ ...message, isReplay: true })));
      await resumed.until(isCheckpoint, 'the CHECKPOINT after the replay', caughtUp);

      const before = witness.messages.length;
      await changes.round();
      await resumed.until(endsRound, 'ORGANIZATION_CREATED', caughtUp);
      await witness.until(endsRound, 'ORGANIZATION_CREATED', before);
      assert.deepEqual(resumed.data.slice(lived.length), dataAfter(witness.messages, lived.at(-1).cursor));
      resumed.disconnect();
    });
  }
}

// dataAfter is what came with an event after the message that has the cursor.
function dataAfter(messages, cursor) {
  const position = messages.findLastIndex((message) => message.cursor === cursor);
  assert.ok(position >= 0, `the witness has not seen the cursor ${cursor}`);
  return messages.slice(position + 1).filter(({ kind }) => kind === 'DATA');
}

async function checkRefused(anonymous) {
  const feed = new Feed(anonymous);
  const outcome = await feed.until(() => true, 'a message').catch((error) => error);
  feed.disconnect();
  assert.ok(outcome instanceof Error && / came before a message/.test(outcome.message), 'the feed was not refused');
}
