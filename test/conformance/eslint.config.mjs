import graphql from '@graphql-eslint/eslint-plugin';
import { schemaPath } from './report.mjs';

const { 'flat/schema-recommended': recommended, 'flat/schema-relay': relay } = graphql.configs;

// Everything that a reader of the schema can see is described.
const DESCRIBED = {
  types: true,
  DirectiveDefinition: true,
  EnumValueDefinition: true,
  FieldDefinition: true,
  InputValueDefinition: true,
  rootField: true,
};

// exceptions are complaints that are wrong here, word for word.
export const exceptions = [
  'Field "keySet" starts with the name of the parent type "Key"', // A key set is a word of its own.
];

export default [
  {
    files: ['**/*.graphqls'],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: schemaPath } },
    },
    plugins: { '@graphql-eslint': graphql },
    rules: {
      ...recommended.rules,
      ...relay.rules,
      '@graphql-eslint/input-name': ['error', { checkInputType: true, caseSensitiveInputType: false }],
      '@graphql-eslint/no-scalar-result-type-on-mutation': 'error',
      // A connection that is only read forward is complete for Relay.
      '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
      // Short lists of plain values need no connection, and what has no life of its own is no node.
      '@graphql-eslint/relay-edge-types': [
        'error',
        { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false, withEdgeSuffix: true },
      ],
      '@graphql-eslint/require-description': ['error', DESCRIBED],
      '@graphql-eslint/require-nullable-fields-with-oneof': 'error',
      '@graphql-eslint/require-nullable-result-in-root': 'error',
      // Exactly the types that implement Node have an ID, and GraphQL itself demands it of them.
      '@graphql-eslint/strict-id-in-types': 'off',
    },
  },
];
