import { createRoot } from 'react-dom/client';
import { App } from './app.jsx';
import 'graphiql/style.css';
import './style.css';

// WORKERS is filled in by build.mjs: the content-hashed file name of each of the editor's workers.
globalThis.MonacoEnvironment = {
  getWorker(_, label) {
    return new Worker(new URL(WORKERS[label] ?? WORKERS.editor, import.meta.url), { name: label });
  },
};

const graphqlPath = document.querySelector('meta[name="keywright-graphql"]').content;
createRoot(document.getElementById('root')).render(
  <App endpoint={new URL(graphqlPath, window.location.origin)} storage={window.sessionStorage} />,
);
