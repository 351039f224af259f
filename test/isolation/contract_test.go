package isolation

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/apptest"
)

// contract is the schema, as its file has it.
type contract struct{ *ast.Schema }

func readContract(t *testing.T) *contract {
	t.Helper()
	text, err := os.ReadFile("../../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return &contract{schema}
}

// rootField is a field of Query, Mutation or Subscription.
type rootField struct {
	*ast.FieldDefinition
	operation  string // query, mutation or subscription
	permission string // empty: having signed in is enough
}

func (s *contract) rootFields() []rootField {
	var all []rootField
	for _, root := range []*ast.Definition{s.Query, s.Mutation, s.Subscription} {
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			r := rootField{FieldDefinition: f, operation: strings.ToLower(root.Name)}
			if d := f.Directives.ForName("authorize"); d != nil && d.Arguments.ForName("permission") != nil {
				r.permission = d.Arguments.ForName("permission").Value.Raw
			}
			all = append(all, r)
		}
	}
	return all
}

// permissions are all that there are.
func (s *contract) permissions() []string {
	var all []string
	for _, v := range s.Types["Permission"].EnumValues {
		all = append(all, v.Name)
	}
	return all
}

// document selects one root field, with each given argument in a variable of its name.
func (s *contract) document(f rootField, arguments vars) string {
	var declared, passed []string
	for _, a := range f.Arguments {
		if _, given := arguments[a.Name]; given {
			declared = append(declared, fmt.Sprintf("$%s: %s", a.Name, a.Type))
			passed = append(passed, fmt.Sprintf("%s: $%s", a.Name, a.Name))
		}
	}
	if f.Arguments.ForName("first") != nil {
		passed = append(passed, "first: 5") // within what an operation may cost
	}
	text := f.operation
	if len(declared) > 0 {
		text += "(" + strings.Join(declared, ", ") + ")"
	}
	text += " { " + f.Name
	if len(passed) > 0 {
		text += "(" + strings.Join(passed, ", ") + ")"
	}
	return text + " { " + s.selection(s.Types[f.Type.Name()], 3) + " } }"
}

// selection selects all that a type shows without arguments, objects down to the depth. Of abstract types it selects
// what all of their types have.
func (s *contract) selection(d *ast.Definition, depth int) string {
	names := []string{"__typename"}
	isConnection := strings.HasSuffix(d.Name, "Connection")
	for _, f := range d.Fields {
		of := s.Types[f.Type.Name()]
		switch {
		case strings.HasPrefix(f.Name, "__") || slices.ContainsFunc(f.Arguments, isRequired):
		case of.IsLeafType():
			names = append(names, f.Name)
		case isConnection && f.Name == "nodes":
			names = append(names, fmt.Sprintf("nodes { %s }", s.selection(of, depth-1)))
		case isConnection || depth <= 1 || strings.HasSuffix(of.Name, "Connection") && depth < 2:
		default:
			names = append(names, fmt.Sprintf("%s { %s }", f.Name, s.selection(of, depth-1)))
		}
	}
	if d.Kind == ast.Union {
		for _, member := range d.Types {
			if slices.Contains(s.Types[member].Interfaces, "Node") {
				names = append(names, fmt.Sprintf("... on %s { id }", member))
			}
		}
	}
	return strings.Join(names, " ")
}

func isRequired(a *ast.ArgumentDefinition) bool { return a.Type.NonNull && a.DefaultValue == nil }

// table has the valid values of what is not an id, by type and member, or by member alone. Ids come from the tenant.
var table = map[string]func(w *tenant) any{
	".name":               func(w *tenant) any { return w.name("name") },
	".displayName":        func(w *tenant) any { return w.name("name") },
	".slug":               func(w *tenant) any { return fmt.Sprintf("s%d-%s", w.made.Add(1), w.mark) },
	".authenticationType": constant("API_KEY"),
	".dialect":            constant("NGINX"),
	".credential":         func(w *tenant) any { return w.apiKey },
	".release":            constant("v1"),
	".value":              constant("value"),
	".mode":               constant("NONE"),
	".permissions":        constant([]string{"CATALOG_READ"}),
	".administratorEmail": func(w *tenant) any { return fmt.Sprintf("a%d@example.com", w.made.Add(1)) },
	".action":             constant("REVOKE_KEY_SET"),
	".kind":               constant("KEY_SET_EXPIRED"),
	".timing":             constant("NEXT_ROTATION"),
	".isEnabled":          constant(true),
	"KeySetSelection.ids": func(w *tenant) any { return []string{w.ids["KeySet"]} },
}

// extras are optional members that are given in every call.
var extras = map[string]func(w *tenant) any{
	".isDryRun":             constant(true),
	"CreateUserInput.email": func(w *tenant) any { return fmt.Sprintf("u%d@example.com", w.made.Add(1)) },
}

func constant(v any) func(*tenant) any { return func(*tenant) any { return v } }

// arguments fills what a root field needs with valid values of the tenant.
func (s *contract) arguments(t *testing.T, f rootField, w *tenant) vars {
	t.Helper()
	all := vars{}
	for _, a := range f.Arguments {
		if isRequired(a) {
			all[a.Name] = s.valid(t, f, f.Name, a.Name, a.Type, w)
		}
	}
	return all
}

// valid is a value for a member of an input object, or for an argument.
func (s *contract) valid(t *testing.T, f rootField, owner, member string, of *ast.Type, w *tenant) any {
	t.Helper()
	if v, ok := entry(table, owner, member); ok {
		return v(w)
	}
	if of.Elem != nil {
		return []any{s.valid(t, f, owner, member, of.Elem, w)}
	}
	if of.Name() == "ID" {
		return w.ids[s.kind(t, f, owner, member)]
	}
	if d := s.Types[of.Name()]; d.Kind == ast.InputObject {
		return s.object(t, f, d, w)
	}
	t.Errorf("%s: there is no valid value for the new member %s.%s of type %s: add one to the table in contract_test.go", f.Name, owner, member, of)
	return nil
}

func entry(in map[string]func(*tenant) any, owner, member string) (func(*tenant) any, bool) {
	v, ok := in[owner+"."+member]
	if !ok {
		v, ok = in["."+member]
	}
	return v, ok
}

// object fills the required members of an input object, or one of those of which there must be one.
func (s *contract) object(t *testing.T, f rootField, d *ast.Definition, w *tenant) vars {
	t.Helper()
	all := vars{}
	isOneOf := d.Directives.ForName("oneOf") != nil
	for _, m := range d.Fields {
		extra, isExtra := entry(extras, d.Name, m.Name)
		_, isKnown := table[d.Name+"."+m.Name]
		switch {
		case isExtra:
			all[m.Name] = extra(w)
		case isOneOf && isKnown, m.Type.NonNull && m.DefaultValue == nil:
			all[m.Name] = s.valid(t, f, d.Name, m.Name, m.Type, w)
		}
	}
	if isOneOf && len(all) != 1 {
		t.Errorf("%s needs exactly one member: add a value for one to the table in contract_test.go", d.Name)
	}
	return all
}

// kinds names the type whose ids a member takes, where its name does not say it.
var kinds = map[string]string{
	"node.id": "KeySet", "nodes.ids": "KeySet", "keySet.id": "KeySet",
	"SetDefaultKeySetInput.id": "Application", "RetrieveCredentialsInput.id": "KeySet", "ReplaceGatewayTokenInput.id": "Gateway", "KeySetSelection.ids": "KeySet",
	"ApproveRequestsInput.ids": "ApprovalRequest", "RejectRequestsInput.ids": "ApprovalRequest",
	"ApproveRequestInput.id": "ApprovalRequest", "RejectRequestInput.id": "ApprovalRequest", "WithdrawRequestInput.id": "ApprovalRequest",
	"NotificationRuleInput.recipientGroupIds": "Group",
	"EventFilter.subjectId":                   "KeySet", "EventFilter.actorId": "User", "EventFilter.correlationId": "correlation",
	".ownerId": "User", ".memberIds": "User", ".addMemberIds": "User", ".removeMemberIds": "User",
}

// kind is the type whose ids a member of an input object takes.
func (s *contract) kind(t *testing.T, f rootField, owner, member string) string {
	t.Helper()
	for _, key := range []string{owner + "." + member, "." + member} {
		if kind, ok := kinds[key]; ok {
			return kind
		}
	}
	// organizationId, defaultEnvironmentId, environmentIds; or what the input or the filter is about.
	name := strings.TrimSuffix(strings.TrimSuffix(member, "s"), "Id")
	if member == "id" || member == "ids" {
		name = strings.TrimSuffix(strings.TrimSuffix(owner, "Input"), "Filter")
	}
	longest := ""
	for _, d := range s.PossibleTypes["Node"] {
		if len(d.Name) > len(longest) && strings.HasSuffix(strings.ToLower(name), strings.ToLower(d.Name)) {
			longest = d.Name
		}
	}
	if longest == "" {
		t.Errorf("%s: nobody says whose id %s.%s takes: add it to kinds in contract_test.go", f.Name, owner, member)
	}
	return longest
}

// setup is what the tests of isolation begin with: the contract, a server, and two tenants.
type setup struct {
	*contract
	server *apptest.Server
	a, b   *tenant
}

func newSetup(t *testing.T, o apptest.Options) *setup {
	t.Helper()
	o.Change = func(c *app.Config) { c.Mail.Poll = 20 * time.Millisecond }
	s := &setup{contract: readContract(t), server: apptest.Start(t, o)}
	s.a, s.b = newTenant(t, s.server.Client, "aardvark"), newTenant(t, s.server.Client, "zebra")
	return s
}
