package transport

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// HTTP serves queries and mutations by POST, and queries by GET, as GraphQL over HTTP describes.
//
// The body is UTF-8 application/json and nothing else. The answer is application/graphql-response+json or
// application/json, as Accept asks; the latter when the client does not care. Statuses:
//
//	200  executed. With application/json also: the document was refused (unparsable, invalid, over a limit)
//	400  not a GraphQL request, or a subscription. With application/graphql-response+json also: the document was refused
//	403  a GET another web site could have caused
//	405  a mutation by GET, or a method other than GET, POST and OPTIONS; with Allow
//	406  no media type the client accepts
//	413  body longer than BodyLimit; 414 for a query string
//	415  not application/json, not UTF-8, or compressed
//	500  a panic, or an answer that could not be written as JSON
//	503  the request's context ended before there was an answer
//
// It supports every request except a WebSocket upgrade, so add it after the other transports.
type HTTP struct {
	// BodyLimit is the longest body and the longest query string accepted, in bytes. Zero means DefaultBodyLimit.
	BodyLimit int64
}

var _ graphql.Transport = HTTP{}

// Supports implements graphql.Transport.
func (t HTTP) Supports(r *http.Request) bool { return !isUpgrade(r) }

// Do implements graphql.Transport.
func (t HTTP) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out := answer{w: w, r: r, exec: exec, mediaType: mediaJSON}
	ranges := acceptedRanges(r)
	mediaType := preferred(ranges, answers...)
	if fail := refuseUnread(r, ranges, mediaType); fail != nil {
		out.refuse(fail)
		return
	}
	out.mediaType = mediaType
	params, fail := readRequest(w, r, t.BodyLimit)
	if fail != nil {
		out.refuse(fail)
		return
	}
	opCtx, refused := prepare(r.Context(), exec, params)
	if refused != nil {
		out.refuseDocument(refused)
		return
	}
	if fail := refuseOperation(r.Method, opCtx.Operation.Operation); fail != nil {
		out.refuse(fail)
		return
	}
	out.execute(opCtx)
}

// refuseUnread checks what can be known before the body is read.
func refuseUnread(r *http.Request, ranges []mediaRange, mediaType string) *failure {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return &failure{
			status: http.StatusMethodNotAllowed, code: CodeMethodNotAllowed, allow: "GET, POST, OPTIONS",
			message: "use POST, or GET for queries",
		}
	case mediaType == "":
		return &failure{
			status: http.StatusNotAcceptable, code: CodeNotAcceptable,
			message: "this endpoint answers with " + strings.Join(answers, " or "),
		}
	}
	return refuseForgery(r, ranges, answers...)
}

func refuseOperation(method string, operation ast.Operation) *failure {
	switch {
	case operation == ast.Subscription:
		return &failure{
			status: http.StatusBadRequest, code: CodeStreamRequired,
			message: "subscribe over a WebSocket (graphql-transport-ws) or with Accept: text/event-stream",
		}
	case operation == ast.Mutation && method == http.MethodGet:
		return mutationByGET()
	}
	return nil
}

func mutationByGET() *failure {
	return &failure{
		status: http.StatusMethodNotAllowed, code: CodeMethodNotAllowed, allow: http.MethodPost,
		message: "send mutations by POST",
	}
}

// answer writes the one response of a request.
type answer struct {
	w         http.ResponseWriter
	r         *http.Request
	exec      graphql.GraphExecutor
	mediaType string
}

func (a answer) execute(opCtx *graphql.OperationContext) {
	var response *graphql.Response
	failed := run(a.r.Context(), a.exec, opCtx, func(first *graphql.Response) bool {
		response = first
		return false
	})
	switch {
	case failed != nil:
		a.write(http.StatusInternalServerError, failed)
	case response == nil:
		a.refuse(&failure{
			status: http.StatusServiceUnavailable, code: CodeUnavailable, message: "the request ended before its answer",
		})
	default:
		a.send(response)
	}
}

func (a answer) refuse(fail *failure) {
	if fail.allow != "" {
		a.w.Header().Set("Allow", fail.allow)
	}
	a.write(fail.status, present(a.r.Context(), a.exec, fail.errors()))
}

func (a answer) refuseDocument(refused *refusal) {
	if refused.panicked {
		a.write(http.StatusInternalServerError, refused.Response)
		return
	}
	a.send(refused.Response)
}

// send picks the status of a well-formed request's response. With application/json a refused document still is 200:
// clients of that type take any other status for a broken server.
func (a answer) send(response *graphql.Response) {
	status := http.StatusOK
	if isRequestError(response) && a.mediaType == mediaGraphQL {
		status = http.StatusBadRequest
	}
	a.write(status, response)
}

func (a answer) write(status int, response *graphql.Response) {
	body, ok := encode(response)
	if !ok {
		status = http.StatusInternalServerError
	}
	header := a.w.Header()
	header.Set("Content-Type", a.mediaType+"; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Add("Vary", "Accept")
	// A payload may hold credentials, which no cache may keep.
	header.Set("Cache-Control", "no-store")
	a.w.WriteHeader(status)
	// A client that is gone cannot be told.
	_, _ = a.w.Write(body)
}

func isUpgrade(r *http.Request) bool {
	for _, header := range r.Header.Values("Upgrade") {
		for token := range strings.SplitSeq(header, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "websocket") {
				return true
			}
		}
	}
	return false
}
