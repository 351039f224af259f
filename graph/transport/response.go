package transport

import (
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// wireResponse is graphql.Response with one difference: when nothing was executed there is no data entry, rather
// than a null one. A null that execution did produce is written.
type wireResponse struct {
	Errors     gqlerror.List   `json:"errors,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	Label      string          `json:"label,omitempty"`
	Path       ast.Path        `json:"path,omitempty"`
	HasNext    *bool           `json:"hasNext,omitempty"`
	Extensions map[string]any  `json:"extensions,omitempty"`
}

// isRequestError tells whether the operation was refused before it ran.
func isRequestError(response *graphql.Response) bool {
	return response.Data == nil && len(response.Errors) > 0
}

// encode writes a response as JSON on one line. ok is false when it cannot be written; what comes back then is an
// internal error in its place.
func encode(response *graphql.Response) (encoded []byte, ok bool) {
	fallback := CodeInternal
	if isRequestError(response) {
		fallback = CodeBadRequest
	}
	encoded, err := json.Marshal(wireResponse{
		Errors: coded(response.Errors, fallback), Data: response.Data, Label: response.Label,
		Path: response.Path, HasNext: response.HasNext, Extensions: response.Extensions,
	})
	if err == nil {
		return encoded, true
	}
	// Strings alone: this one cannot fail.
	encoded, _ = json.Marshal(wireResponse{Errors: internalFailure().errors()})
	return encoded, false
}
