package transport

import (
	"maps"
	"net/http"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Codes a client finds in extensions.code of errors this package makes.
const (
	// CodeBadRequest: the request is not a well-formed GraphQL request.
	CodeBadRequest = "BAD_REQUEST"
	// CodeParseFailed: the document is not GraphQL. Made by gqlgen.
	CodeParseFailed = errcode.ParseFailed
	// CodeValidationFailed: the document or its variables do not fit the schema. Made by gqlgen.
	CodeValidationFailed = errcode.ValidationFailed
	// CodeForgeryRefused: a GET that another web site could have caused.
	CodeForgeryRefused = "FORGERY_REFUSED"
	// CodeMethodNotAllowed: the HTTP method is not served, or does not fit the operation.
	CodeMethodNotAllowed = "METHOD_NOT_ALLOWED"
	// CodeNotAcceptable: none of the media types the client accepts can carry the answer.
	CodeNotAcceptable = "NOT_ACCEPTABLE"
	// CodePayloadTooLarge: the request is longer than the limit.
	CodePayloadTooLarge = "PAYLOAD_TOO_LARGE"
	// CodeUnsupportedMediaType: the body is not UTF-8 application/json.
	CodeUnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
	// CodeStreamRequired: a subscription was sent where only a single answer can be given.
	CodeStreamRequired = "STREAM_REQUIRED"
	// CodeTooManyOperations: the socket already runs as many operations as it may.
	CodeTooManyOperations = "TOO_MANY_OPERATIONS"
	// CodeUnavailable: the server is going away, or the request was cut short.
	CodeUnavailable = "UNAVAILABLE"
	// CodeInternal: something failed that the client can do nothing about.
	CodeInternal = "INTERNAL"
)

// failure is a refusal that needs no executor: what to say, and the status to say it with.
type failure struct {
	status  int
	code    string
	message string
	// allow is the Allow header a 405 must carry.
	allow string
}

func badRequest(message string) *failure {
	return &failure{status: http.StatusBadRequest, code: CodeBadRequest, message: message}
}

func internalFailure() *failure {
	return &failure{status: http.StatusInternalServerError, code: CodeInternal, message: "internal error"}
}

func (f *failure) errors() gqlerror.List {
	return gqlerror.List{{Message: f.message, Extensions: map[string]any{"code": f.code}}}
}

// coded gives every error without a code the fallback. It copies what it changes, because an error may be a value
// that its package hands to many requests at once.
func coded(errs gqlerror.List, fallback string) gqlerror.List {
	out := make(gqlerror.List, 0, len(errs))
	for _, err := range errs {
		if err == nil {
			continue
		}
		if _, ok := err.Extensions["code"]; !ok {
			withCode := *err
			withCode.Extensions = maps.Clone(err.Extensions)
			errcode.Set(&withCode, fallback)
			err = &withCode
		}
		out = append(out, err)
	}
	return out
}
