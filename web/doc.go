// Package web serves the pages that the server carries in its own binary. So far that is one: the query IDE,
// GraphiQL with its editor, bundled from web/ide by `npm ci && npm run build` and committed compressed under
// web/ide/dist. It asks no other host for anything, so it works on a machine without a network.
package web
