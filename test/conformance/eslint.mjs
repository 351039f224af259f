// Lints the schema with @graphql-eslint: one check for each rule of eslint.config.mjs.
import { dirname } from 'node:path';
import { ESLint } from 'eslint';
import config, { exceptions } from './eslint.config.mjs';
import { Report, schemaPath } from './report.mjs';

const report = new Report();
// ESLint ignores what lies above its working directory.
const eslint = new ESLint({ cwd: dirname(schemaPath), overrideConfigFile: true, overrideConfig: config });
const results = await eslint.lintFiles([schemaPath]);
const messages = results.flatMap((result) => result.messages).filter(({ message }) => !exceptions.includes(message));

const rules = config.flatMap(({ rules }) => Object.keys(rules).filter((rule) => rules[rule] !== 'off'));
for (const rule of rules) {
  await report.check(rule, () => refuse(messages.filter(({ ruleId }) => ruleId === rule)));
}
await report.check('the schema is read without other complaints', () => {
  refuse(messages.filter(({ ruleId }) => !rules.includes(ruleId)));
});
report.finish();

function refuse(found) {
  if (found.length > 0) throw new Error(found.map(({ line, message }) => `\nline ${line}: ${message}`).join(''));
}
