package httpapi

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/strictjson"
)

// errPresentation says what a body must be. It never says what the body is: that could hold a credential.
var errPresentation = errors.New("the body must be one JSON object in UTF-8 with the texts credential, publicIdentifier, apiId and environmentSlug, each once at most")

// decodePresentation reads the body of a validation. The names of members are exact, and none stands twice: what another
// reader on the way has seen is what is judged.
func decodePresentation(body []byte) (Presentation, error) {
	var p Presentation
	var members map[string]*string
	if !utf8.Valid(body) || json.Unmarshal(body, &members) != nil || strictjson.RepeatsMember(body) {
		return p, errPresentation
	}
	for name, value := range members {
		if value == nil {
			value = new(string)
		}
		switch name {
		case "credential":
			p.Credential = *value
		case "publicIdentifier":
			p.PublicIdentifier = *value
		case "apiId":
			p.APIID = lifecycle.APIID(*value)
		case "environmentSlug":
			p.EnvironmentSlug = *value
		default:
			return p, errPresentation
		}
	}
	switch {
	case p.Credential == "":
		return p, errors.New("credential: a value is needed")
	case strings.ContainsRune(string(p.APIID)+p.EnvironmentSlug+p.PublicIdentifier, 0):
		return p, errors.New("NUL characters are not allowed")
	}
	return p, nil
}
