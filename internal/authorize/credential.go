package authorize

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// Source is where a call carries its credential.
type Source uint8

// Sources.
const (
	FromAPIKey        Source = iota + 1 // the header X-API-Key
	FromAuthorization                   // the header Authorization, scheme Bearer or Basic
	FromQuery                           // the parameter api_key
)

// QueryParameter is the one parameter of a query string that can be a credential.
const QueryParameter = "api_key"

// present fills in the one credential that the call carries. Any second one is a reason to refuse: the application
// behind the gateway might believe the other.
func (c *Call) present(gateway *lifecycle.GatewayFacts, p *validate.Presentation) (Source, Reason) {
	var source Source
	found := 0
	key, n := only(c.APIKeys)
	if found += n; n > 0 {
		source = FromAPIKey
		p.Credential = secret.NewText(key)
	}
	authorization, n := only(c.Authorizations)
	if n > 1 {
		return 0, AmbiguousCredential
	}
	scheme, rest, _ := strings.Cut(authorization, " ")
	isBearer, isBasic := strings.EqualFold(scheme, "Bearer"), strings.EqualFold(scheme, "Basic")
	if isBearer || isBasic {
		found++
		source = FromAuthorization
	}
	inQuery, n := fromQuery(c.Target)
	if found += n; n > 0 {
		source = FromQuery
	}
	switch {
	case found == 0:
		return 0, NoCredential
	case found > 1:
		return 0, AmbiguousCredential
	case source == FromQuery && !gateway.IsQueryCredentialAllowed:
		return 0, CredentialInQuery
	case source == FromQuery:
		p.Credential = secret.NewText(inQuery)
	case source == FromAuthorization && isBearer:
		p.Credential = secret.NewText(strings.TrimLeft(rest, " "))
	case source == FromAuthorization:
		if !basic(strings.TrimLeft(rest, " "), p) {
			return 0, MalformedCredential
		}
	}
	return source, Admitted
}

// only returns the value of a header and how many there are. Some gateways join values that were sent apart; no
// credential has a comma.
func only(values []string) (string, int) {
	switch len(values) {
	case 0:
		return "", 0
	case 1:
		value := values[0]
		switch {
		case value == "":
			return "", 0
		case strings.IndexByte(value, ',') >= 0:
			return "", 2
		}
		return value, 1
	}
	return "", len(values)
}

// basic reads the two parts of a credential (RFC 7617).
func basic(text string, p *validate.Presentation) bool {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	name, password, found := strings.Cut(string(plain), ":")
	if !found || name == "" || password == "" {
		return false
	}
	p.PublicIdentifier, p.Credential = name, secret.NewText(password)
	return true
}

// fromQuery finds the parameter in the query of a request target, however its name is written: applications decode it.
func fromQuery(target string) (value string, n int) {
	_, query, found := strings.Cut(target, "?")
	if !found {
		return "", 0
	}
	for query != "" {
		var part string
		part, query = cutAny(query)
		name, text, _ := strings.Cut(part, "=")
		if strings.IndexByte(name, '%') >= 0 || strings.IndexByte(name, '+') >= 0 {
			if decoded, err := url.QueryUnescape(name); err == nil {
				name = decoded
			}
		}
		if !strings.EqualFold(strings.TrimSpace(name), QueryParameter) {
			continue
		}
		n++
		if decoded, err := url.QueryUnescape(text); err == nil {
			value = decoded
		}
	}
	return value, n
}

// cutAny cuts at either separator that applications know.
func cutAny(query string) (part, rest string) {
	if i := strings.IndexAny(query, "&;"); i >= 0 {
		return query[:i], query[i+1:]
	}
	return query, ""
}
