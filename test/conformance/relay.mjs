// Compiles the operations in relay/ with relay-compiler: it refuses a schema that does not keep Relay's promises about
// nodes, connections and edges.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { Report, schemaPath } from './report.mjs';

process.chdir(import.meta.dirname);
const report = new Report();

await report.check('relay-compiler accepts the schema and the operations', async () => {
  await rm('build', { recursive: true, force: true });
  await mkdir('build/artifacts', { recursive: true });
  await copyFile(schemaPath, 'build/schema.graphql'); // relay-compiler reads no other extension.
  const { status, error, stderr } = spawnSync('node_modules/.bin/relay-compiler', ['--output', 'quiet-with-errors'], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  assert.equal(status, 0, stderr || String(error));
});
const artifacts = new Set(await readdir('build/artifacts'));
for (const name of await definitions()) {
  await report.check(`it compiles ${name}`, () => assert.ok(artifacts.has(`${name}.graphql.js`), 'nothing was written'));
}
report.finish();

// definitions are the names of the operations and fragments in relay/, and of the operations that @refetchable asks for.
async function definitions() {
  const names = [];
  for (const file of await readdir('relay')) {
    const source = await readFile(`relay/${file}`, 'utf8');
    for (const [, name] of source.matchAll(/^ {2}(?:query|mutation|subscription|fragment) (\w+)/gm)) names.push(name);
    for (const [, name] of source.matchAll(/@refetchable\(queryName: "(\w+)"\)/g)) names.push(name);
  }
  return names;
}
