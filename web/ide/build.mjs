// Bundles GraphiQL, its editor and the editor's workers into dist/, compressed, so that the server serves the query
// IDE from its own binary and the browser asks no other host.
import { build } from 'esbuild';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';

const OUT = 'dist';
const WORKER_SOURCES = {
  editor: 'monaco-editor/esm/vs/editor/editor.worker.js',
  graphql: 'monaco-graphql/esm/graphql.worker.js',
  json: 'monaco-editor/esm/vs/language/json/json.worker.js',
};

const common = {
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  outdir: OUT,
  entryNames: '[name]-[hash]',
  chunkNames: 'chunk-[hash]',
  assetNames: '[name]-[hash]',
  target: ['es2022'],
  legalComments: 'none', // licences.txt has every licence in full
  define: { 'process.env.NODE_ENV': '"production"' },
  // The old names lead to scripts whose exports are lost in a bundle; the new ones lead to the same code as modules.
  alias: {
    'prettier/parser-babel': 'prettier/plugins/babel',
    'prettier/parser-graphql': 'prettier/plugins/graphql',
  },
  loader: { '.svg': 'copy' },
  logLevel: 'warning',
  plugins: [{ name: 'editor-style', setup: dropEditorStyle }],
};

const workers = await build({ ...common, entryPoints: WORKER_SOURCES, format: 'iife' });
const workerNames = Object.fromEntries(
  Object.keys(WORKER_SOURCES).map((label) => [label, `./${outputName(workers, label, 'js')}`]),
);
const page = await build({
  ...common,
  entryPoints: { main: 'src/main.jsx', icon: 'src/icon.svg' },
  format: 'esm',
  splitting: true,
  jsx: 'automatic',
  define: { ...common.define, WORKERS: JSON.stringify(workerNames) },
});

await rm(OUT, { recursive: true, force: true });
await mkdir(join(OUT, 'assets'), { recursive: true });
for (const file of [...workers.outputFiles, ...page.outputFiles]) {
  await writeCompressed(join('assets', basename(file.path)), file.contents);
}
await writeCompressed('licences.txt', await licences(workers, page));
await writeFile(join(OUT, 'index.html'), await index());

// graphiql/style.css holds the editor's style already; what the editor imports itself would never be loaded.
function dropEditorStyle({ onLoad }) {
  onLoad({ filter: /node_modules\/monaco-editor\/.*\.css$/ }, () => ({ contents: '', loader: 'empty' }));
}

async function index() {
  const html = await readFile('src/index.html', 'utf8');
  return html
    .replace('{{.Icon}}', `assets/${outputName(page, 'icon', 'svg')}`)
    .replace('{{.Style}}', `assets/${outputName(page, 'main', 'css')}`)
    .replace('{{.Script}}', `assets/${outputName(page, 'main', 'js')}`);
}

function outputName(result, name, extension) {
  const pattern = new RegExp(`^${name}-[A-Z0-9]{8}\\.${extension}$`);
  const found = Object.keys(result.metafile.outputs).map((path) => basename(path)).filter((file) => pattern.test(file));
  if (found.length !== 1) throw new Error(`expected one ${name}.${extension} in the bundle, found ${found.length}`);
  return found[0];
}

async function writeCompressed(path, contents) {
  const gzip = gzipSync(contents, { level: constants.Z_BEST_COMPRESSION });
  gzip[9] = 255; // The operating system that compressed: "unknown", so that every machine writes the same bytes.
  await writeFile(join(OUT, `${path}.gz`), gzip);
}

// licences gives the licence of every package that has code in the bundle.
async function licences(...results) {
  const inputs = results.flatMap((result) => Object.keys(result.metafile.inputs));
  const folders = new Set(inputs.map((path) => path.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0]).filter(Boolean));
  const texts = [];
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    texts.push(`${name} ${version} (${license})\n\n${await licenceText(folder)}`);
  }
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

async function licenceText(folder) {
  const names = (await readdir(folder)).filter((name) => /^(licen[cs]e|thirdpartynotices)/i.test(name)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.map((text) => `${text.trim()}\n`).join('\n');
}
