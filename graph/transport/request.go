package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/internal/strictjson"
)

// DefaultBodyLimit is the longest request body, in bytes, a transport reads unless told otherwise.
const DefaultBodyLimit = 1 << 20

// readRequest reads the GraphQL request out of a POST's body or a GET's query string.
func readRequest(w http.ResponseWriter, r *http.Request, limit int64) (*graphql.RawParams, *failure) {
	if limit == 0 {
		limit = DefaultBodyLimit
	}
	start := graphql.Now()
	read := readBody
	if r.Method == http.MethodGet {
		read = readQuery
	}
	params, fail := read(w, r, limit)
	if fail != nil {
		return nil, fail
	}
	params.Headers = r.Header
	params.ReadTime = graphql.TraceTiming{Start: start, End: graphql.Now()}
	return params, nil
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) (*graphql.RawParams, *failure) {
	if !isUTF8JSON(r.Header) {
		return nil, &failure{
			status: http.StatusUnsupportedMediaType, code: CodeUnsupportedMediaType,
			message: "send the request as Content-Type: application/json in UTF-8, without content coding",
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &failure{
			status: http.StatusRequestEntityTooLarge, code: CodePayloadTooLarge,
			message: "the request body is larger than this server accepts",
		}
	}
	if err != nil {
		return nil, badRequest("the request body could not be read")
	}
	return decodeParams(body)
}

// isUTF8JSON tells whether the body is what it must be. No other content type is served: those a form can send
// would let any web site act as its visitor.
func isUTF8JSON(header http.Header) bool {
	mediaType, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || mediaType != mediaJSON {
		return false
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	coding := header.Get("Content-Encoding")
	return coding == "" || strings.EqualFold(coding, "identity")
}

// decodeParams reads a request written as JSON. Its messages never quote the input.
func decodeParams(raw []byte) (*graphql.RawParams, *failure) {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	switch {
	case len(raw) == 0:
		return nil, badRequest("the request is empty: a JSON object with a query is expected")
	case raw[0] == '[':
		return nil, badRequest("several requests in one array are not supported: send one JSON object")
	case !utf8.Valid(raw):
		return nil, badRequest("the request is not valid UTF-8")
	}
	// A map, not a struct: encoding/json would also take "QUERY" for a struct's query.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return nil, badRequest("the request is not a JSON object")
	}
	if strictjson.RepeatsMember(raw) {
		return nil, badRequest("the request has an object with two members of one name")
	}
	params := &graphql.RawParams{}
	if !decodeField(fields["query"], &params.Query) {
		return nil, badRequest("query must be a string")
	}
	if !decodeField(fields["operationName"], &params.OperationName) {
		return nil, badRequest("operationName must be a string or null")
	}
	return decodeMaps(params, fields["variables"], fields["extensions"])
}

// readQuery reads the parameters of a GET. An empty parameter counts as absent.
func readQuery(_ http.ResponseWriter, r *http.Request, limit int64) (*graphql.RawParams, *failure) {
	if int64(len(r.URL.RawQuery)) > limit {
		return nil, &failure{
			status: http.StatusRequestURITooLong, code: CodePayloadTooLarge,
			message: "the query string is longer than this server accepts",
		}
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || !utf8.ValidString(values.Get("query")) {
		return nil, badRequest("the query string is malformed")
	}
	for _, name := range []string{"query", "operationName", "variables", "extensions"} {
		if len(values[name]) > 1 {
			return nil, badRequest(name + " must be given once")
		}
	}
	for _, name := range []string{"variables", "extensions"} {
		if strictjson.RepeatsMember([]byte(values.Get(name))) {
			return nil, badRequest(name + " has an object with two members of one name")
		}
	}
	params := &graphql.RawParams{Query: values.Get("query"), OperationName: values.Get("operationName")}
	return decodeMaps(params, json.RawMessage(values.Get("variables")), json.RawMessage(values.Get("extensions")))
}

func decodeMaps(params *graphql.RawParams, variables, extensions json.RawMessage) (*graphql.RawParams, *failure) {
	if !decodeField(variables, &params.Variables) {
		return nil, badRequest("variables must be a JSON object or null")
	}
	if !decodeField(extensions, &params.Extensions) {
		return nil, badRequest("extensions must be a JSON object or null")
	}
	// A persisted document is named in the extensions; the executor's extension looks up its text.
	if params.Query == "" && params.Extensions["persistedQuery"] == nil {
		return nil, badRequest("query is missing")
	}
	return params, nil
}

// decodeField reads one value into its target. Absent and null leave the target as it is. Numbers stay as written,
// so that large integers survive.
func decodeField(raw json.RawMessage, target any) bool {
	if len(raw) == 0 {
		return true
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(target); err != nil {
		return false
	}
	_, err := decoder.Token()
	return errors.Is(err, io.EOF)
}
