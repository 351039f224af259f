import { useState } from 'react';

// KeyBar takes the bearer key. The field is a text field with hidden letters and not a password field: browsers offer
// to keep passwords, and this key must not outlive the tab.
export function KeyBar({ endpoint, value, onUse }) {
  const [draft, setDraft] = useState(value);
  const typed = draft.trim().replace(/^bearer\s+/i, '');

  function submit(event) {
    event.preventDefault();
    onUse(typed);
  }

  function forget() {
    setDraft('');
    onUse('');
  }

  return (
    <header className="keybar">
      <h1>Keywright</h1>
      <code className="endpoint">{endpoint.pathname}</code>
      <form onSubmit={submit}>
        <label htmlFor="key">Key</label>
        <input
          id="key"
          type="text"
          className="secret"
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
          placeholder="Paste a key; the first administrator's is in admin.key"
          autoComplete="off"
          autoCapitalize="off"
          autoCorrect="off"
          spellCheck={false}
          data-1p-ignore=""
          data-lpignore="true"
        />
        <button type="submit" disabled={typed === value}>Use</button>
        <button type="button" onClick={forget} disabled={!value && !typed}>Forget</button>
      </form>
      <output className={value ? 'state on' : 'state'}>{status(typed, value)}</output>
    </header>
  );
}

function status(typed, value) {
  if (typed !== value) return 'Not in use yet';
  return value ? 'In use, until this tab closes' : 'Requests carry no key';
}
