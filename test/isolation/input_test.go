package isolation

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// internals are texts that would tell a client how the server is made.
var internals = regexp.MustCompile(`(?i)SQLSTATE|sqlite|pgx|postgres|syntax error at or near|constraint failed|goroutine \d|\.go:\d|/internal/|SELECT .* FROM|panic|Did you mean`)

// badOperation is an operation that must be refused, with a code at a path, and change nothing.
type badOperation struct {
	name, document string
	variables      func(w *tenant) vars
	code           string // of a user error or of a top-level error
	path           string // names joined by dots; empty: the document as a whole
	status         int    // 0: 200
}

// field is a mutation with one input.
func mutation(name, field, input string, values func(w *tenant) vars, code, path string) badOperation {
	return badOperation{
		name: field + ": " + name, code: code, path: path,
		document:  fmt.Sprintf(`mutation($i: %s!) { %s(input: $i) { userErrors { __typename code message path } } }`, input, field),
		variables: func(w *tenant) vars { return vars{"i": values(w)} },
	}
}

func query(name, document string, values vars, code, path string) badOperation {
	return badOperation{name: name, document: document, variables: func(*tenant) vars { return values }, code: code, path: path}
}

func nested(depth int, inner vars) vars {
	for range depth {
		inner = vars{"and": []any{inner}}
	}
	return inner
}

func many(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint("x", i)
	}
	return all
}

// badNames are refused wherever a name is given.
var badNames = []struct{ name, text, code string }{
	{"empty", "", "REQUIRED"},
	{"blank", " \t ", "REQUIRED"},
	{"invisible", "\u200b\u2060", "REQUIRED"},
	{"too long", strings.Repeat("x", 201), "TOO_LONG"},
	{"NUL", "a\x00b", "INVALID"},
	{"control", "a\x07b", "INVALID"},
	{"escape", "a\x1b[31mb", "INVALID"},
	{"bidi", "a\u202eb", "INVALID"},
	{"line break", "a\nb", "INVALID"},
	{"outer space", " a", "INVALID"},
	{"C1", "a\u0085b", "INVALID"},
}

// nameTakers are the mutations that take a name, and what else they need.
func nameTakers(w *tenant) map[string]vars {
	return map[string]vars{
		"createOrganization": {}, "updateOrganization": {"id": w.ids["Organization"]},
		"createGroup": {"organizationId": w.ids["Organization"]}, "updateGroup": {"id": w.ids["Group"]},
		"createRole": {"permissions": []string{}}, "updateRole": {"id": w.ids["Role"]},
		"createEnvironment": {"slug": "new"}, "updateEnvironment": {"id": w.ids["Environment"]},
		"registerGateway": {"environmentId": w.ids["Environment"], "dialect": "NGINX"}, "updateGateway": {"id": w.ids["Gateway"]},
		"createApi": {"release": "v1", "organizationId": w.ids["Organization"], "environmentIds": []string{}, "authenticationRequirements": []vars{}},
		"updateApi": {"id": w.ids["Api"]}, "createApplication": {"organizationId": w.ids["Organization"]}, "updateApplication": {"id": w.ids["Application"]},
		"createPolicyTemplate": {"authenticationType": "API_KEY", "expiration": vars{}, "rotation": vars{"mode": "NONE"}},
		"updatePolicyTemplate": {"id": w.ids["PolicyTemplate"]}, "updateTenant": {"id": w.ids["Tenant"]}, "updateKeySet": {"id": w.ids["KeySet"]},
		"createKeySet": {
			"applicationId": w.ids["Application"], "environmentId": w.ids["Environment"], "policyTemplateId": w.ids["PolicyTemplate"], "authenticationType": "API_KEY",
		},
	}
}

func badNamesEverywhere(w *tenant) []badOperation {
	var all []badOperation
	for field, rest := range nameTakers(w) {
		for _, bad := range badNames {
			all = append(all, mutation("name "+bad.name, field, strings.ToUpper(field[:1])+field[1:]+"Input", func(*tenant) vars {
				input := vars{"name": bad.text}
				for member, value := range rest {
					input[member] = value
				}
				return input
			}, bad.code, "input.name"))
		}
	}
	return all
}

// TestP8_BadInputIsRefusedClearlyAndChangesNothing sends each bad operation to a filled tenant.
func TestP8_BadInputIsRefusedClearlyAndChangesNothing(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		server := apptest.Start(t, o)
		w := newTenant(t, server.Client, "aardvark")
		before := w.sequence(t)
		for _, bad := range append(append(badObjects(), badDocuments()...), badNamesEverywhere(w)...) {
			reply := w.Send(t, bad.document, bad.variables(w))
			if bad.status == 0 {
				bad.status = http.StatusOK
			}
			if got := refusalOf(reply); reply.Status != bad.status || got != bad.code+" at "+bad.path {
				t.Errorf("%s: status %d, %s; want %d, %s at %s: %s", bad.name, reply.Status, got, bad.status, bad.code, bad.path, short(reply.Body))
			}
			if found := internals.FindString(reply.Body); found != "" {
				t.Errorf("%s: the answer says %q: %s", bad.name, found, short(reply.Body))
			}
			if after := w.sequence(t); after != before {
				t.Errorf("%s changed something: %s", bad.name, after)
				before = after
			}
		}
	})
}

// refusalOf is the first refusal of a reply: its code, and the path to what is wrong. A top-level error names it by
// argumentPath, below the field of its path.
func refusalOf(reply apptest.Reply) string {
	join := func(path any) string {
		all, _ := path.([]any)
		return strings.Join(strings.Fields(strings.Trim(fmt.Sprint(all), "[]")), ".")
	}
	if len(reply.Errors) > 0 {
		e := reply.Errors[0]
		if e.Extensions["argumentPath"] != nil {
			return e.Code() + " at " + join(e.Extensions["argumentPath"])
		}
		return e.Code() + " at " + join(e.Path)
	}
	for _, payload := range reply.Data {
		found, _ := payload.(map[string]any)
		refused := apptest.Object(found)
		if code := refused.Get("userErrors", 0, "code"); code != nil {
			return fmt.Sprint(code, " at ", join(refused.Get("userErrors", 0, "path")))
		}
	}
	return "no refusal"
}
