import { useEffect, useMemo, useState } from 'react';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { KeyBar } from './keybar.jsx';
import { createTransport } from './transport.js';
import { defaultQuery, defaultTabs } from './examples.js';

const STORED_KEY = 'keywright:key';
const PLUGINS = [HISTORY_PLUGIN];

// App is the key bar over GraphiQL. Everything typed here may hold a credential (a key to validate, say), so drafts
// and history live in the same place as the key: the tab's session storage, which ends with the tab.
export function App({ endpoint, storage }) {
  const [key, setKey] = useState(() => storage.getItem(STORED_KEY) ?? '');
  const transport = useMemo(() => createTransport(endpoint, key), [endpoint, key]);
  useEffect(() => () => transport.dispose(), [transport]);

  function use(next) {
    if (next) storage.setItem(STORED_KEY, next);
    else storage.removeItem(STORED_KEY);
    setKey(next);
  }

  return (
    <>
      <KeyBar endpoint={endpoint} value={key} onUse={use} />
      <main className="ide">
        <GraphiQL
          fetcher={transport.fetcher}
          storage={storage}
          plugins={PLUGINS}
          defaultQuery={defaultQuery}
          defaultTabs={defaultTabs}
          isHeadersEditorEnabled={false}
          shouldPersistHeaders={false}
          showPersistHeadersSettings={false}
          inputValueDeprecation
          schemaDescription
        >
          <GraphiQL.Logo>
            <></>
          </GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}
