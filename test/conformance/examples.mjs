// The examples that the query IDE opens with are valid operations of the schema.
import { buildSchema, parse, validate } from 'graphql';
import { readFile } from 'node:fs/promises';
import { defaultQuery, defaultTabs } from '../../web/ide/src/examples.js';
import { Report, schemaPath } from './report.mjs';

const report = new Report();
const schema = buildSchema(await readFile(schemaPath, 'utf8'));
const examples = new Set([defaultQuery, ...defaultTabs.map(({ query }) => query)]);

for (const example of examples) {
  const document = parse(example);
  await report.check(`the example ${document.definitions[0].name.value}`, () => {
    const errors = validate(schema, document);
    if (errors.length > 0) throw new Error(errors.join('\n'));
  });
}
report.finish();
