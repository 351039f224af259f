package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/strictjson"
	"github.com/keywright/keywright/internal/validate"
)

// maxBatch is the largest number of credentials that one request may ask about.
const maxBatch = 500

// maxScopes is the largest number of scopes that one call may need.
const maxScopes = 100

// What a body can be refused for. Each has a code of its own where a gateway can do something about it in particular.
var (
	// errPresentation says what a body must be. It never says what the body is: that could hold a credential.
	errPresentation = badRequest("the body must be one JSON object in UTF-8 with the texts credential, publicIdentifier, apiId, " +
		"environmentSlug and ipAddress and the list of texts scopes, each once at most, or a list of such objects")
	errNoCredential   = &failure{http.StatusBadRequest, string(authorize.NoCredential), "credential: a value is needed"}
	errTwoCredentials = &failure{http.StatusBadRequest, string(authorize.AmbiguousCredential), "credential: stands there twice"}
	errAddress        = badRequest("ipAddress: must be an IPv4 or IPv6 address")
	errNUL            = badRequest("NUL characters are not allowed")
	errScopes         = badRequest(fmt.Sprintf("scopes: at most %d are allowed", maxScopes))
	errEmptyBatch     = badRequest("a list must hold an object")
	errBatch          = &failure{http.StatusBadRequest, "BATCH_TOO_LARGE", fmt.Sprintf("a list must hold at most %d objects", maxBatch)}
)

func badRequest(message string) *failure {
	return &failure{http.StatusBadRequest, "BAD_REQUEST", message}
}

// question is one object of a body, before it is checked.
type question struct {
	credential, publicIdentifier, apiID, environmentSlug, ipAddress string
	scopes                                                          []string
}

// present checks what was asked and puts it into p.
func (q *question) present(p *validate.Presentation) error {
	*p = validate.Presentation{
		PublicIdentifier: q.publicIdentifier, APIID: lifecycle.APIID(q.apiID), EnvironmentSlug: q.environmentSlug, Scopes: q.scopes,
	}
	switch {
	case q.credential == "":
		return errNoCredential
	case len(q.scopes) > maxScopes:
		return errScopes
	case hasNUL(q.apiID), hasNUL(q.environmentSlug), hasNUL(q.publicIdentifier), slices.ContainsFunc(q.scopes, hasNUL):
		return errNUL
	}
	if q.ipAddress != "" {
		address, err := netip.ParseAddr(q.ipAddress)
		if err != nil || address.Zone() != "" {
			return errAddress
		}
		p.IPAddress = address
	}
	p.Credential = secret.NewText(q.credential)
	return nil
}

func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }

// decodeQuestions reads the body of a validation: one object, or a list of them. The names of members are exact, and
// none stands twice: what another reader on the way has seen is what is judged.
func decodeQuestions(body []byte) (questions []question, isList bool, err error) {
	repeated, isRepeated := strictjson.RepeatedMember(body)
	switch {
	case !utf8.Valid(body):
		return nil, false, errPresentation
	case isRepeated && repeated == "credential":
		return nil, false, errTwoCredentials
	case isRepeated:
		return nil, false, errPresentation
	}
	var members []map[string]json.RawMessage
	if isList = strings.HasPrefix(strings.TrimLeft(string(body), " \t\r\n"), "["); isList {
		err = json.Unmarshal(body, &members)
	} else {
		members = make([]map[string]json.RawMessage, 1)
		err = json.Unmarshal(body, &members[0])
	}
	switch {
	case err != nil:
		return nil, isList, errPresentation
	case len(members) == 0:
		return nil, isList, errEmptyBatch
	case len(members) > maxBatch:
		return nil, isList, errBatch
	}
	questions = make([]question, len(members))
	for i := range members {
		for name, value := range members[i] {
			if !questions[i].set(name, value) {
				return nil, isList, errPresentation
			}
		}
	}
	return questions, isList, nil
}

// set takes one member. A value of null is as good as none.
func (q *question) set(name string, value json.RawMessage) bool {
	if name == "scopes" {
		var scopes []*string
		if json.Unmarshal(value, &scopes) != nil || slices.Contains(scopes, nil) {
			return false
		}
		for _, scope := range scopes {
			q.scopes = append(q.scopes, *scope)
		}
		return true
	}
	member := q.member(name)
	return member != nil && json.Unmarshal(value, member) == nil
}

// member returns where the text of this name goes; null: there is none.
func (q *question) member(name string) *string {
	switch name {
	case "credential":
		return &q.credential
	case "publicIdentifier":
		return &q.publicIdentifier
	case "apiId":
		return &q.apiID
	case "environmentSlug":
		return &q.environmentSlug
	case "ipAddress":
		return &q.ipAddress
	}
	return nil
}
