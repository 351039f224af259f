package graph_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/keywright/keywright/graph"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// family is the read permission of a type's objects. Types that are not here are values of the object that they stand in.
var family = map[string]lifecycle.Permission{
	"KeySet": lifecycle.PermissionKeySetRead, "Key": lifecycle.PermissionKeySetRead, "Milestone": lifecycle.PermissionKeySetRead,
	"BulkOperation": lifecycle.PermissionKeySetRead, "BulkOperationItem": lifecycle.PermissionKeySetRead,
	"Api": lifecycle.PermissionCatalogRead, "ApiSubscription": lifecycle.PermissionCatalogRead, "Application": lifecycle.PermissionCatalogRead,
	"AuthenticationRequirement": lifecycle.PermissionCatalogRead, "Environment": lifecycle.PermissionCatalogRead,
	"Gateway": lifecycle.PermissionCatalogRead,
	"Policy":  lifecycle.PermissionCatalogRead, "PolicyTemplate": lifecycle.PermissionCatalogRead,
	"Event": lifecycle.PermissionEventRead, "EventMessage": lifecycle.PermissionEventRead, "KeySetChangeMessage": lifecycle.PermissionKeySetRead,
	"User": lifecycle.PermissionIdentityRead, "Role": lifecycle.PermissionIdentityRead, "RoleAssignment": lifecycle.PermissionIdentityRead,
	"Group": lifecycle.PermissionIdentityRead, "Organization": lifecycle.PermissionIdentityRead,
}

// atRunTime are abstract types: which permission is needed is known when the object is loaded.
var atRunTime = []string{"Node", "Actor", "EventSubject", "BulkSubject", "ApprovalSubject", "UserError"}

// shown are fields that show objects to callers without their permission, and why. What such an object leads to needs
// a permission of its own, or stands here too.
var shown = map[string]string{
	"KeySet.application":                       "a key set is recognized by its application",
	"KeySet.environment":                       "and by its environment",
	"KeySet.policy":                            "its rules say what can be done to it",
	"KeySet.nextPolicy":                        "and will say",
	"Policy.template":                          "the rules have a name",
	"Application.organization":                 "applications of one name are told apart by whose they are",
	"Api.organization":                         "so are APIs",
	"Group.organization":                       "so are groups",
	"PolicyViolationError.policy":              "loaded with the permission of its kind",
	"Viewer.user":                              "oneself",
	"User.groups":                              "without IDENTITY_READ a user is reached from the viewer only: one's own",
	"User.organization":                        "one's own",
	"User.roleAssignments":                     "one's own",
	"RoleAssignment.role":                      "one's own",
	"RoleAssignment.user":                      "oneself",
	"Mutation.*":                               "who may change an object may see what became of it",
	"AuthenticationRequirement.policyTemplate": "same permission",
}

func schemaOf(t *testing.T) *ast.Schema {
	t.Helper()
	return graph.NewExecutableSchema(graph.Config{}).Schema()
}

func permissionOf(f *ast.FieldDefinition) (permission lifecycle.Permission, isStated bool) {
	directive := f.Directives.ForName("authorize")
	if directive == nil {
		return "", false
	}
	if argument := directive.Arguments.ForName("permission"); argument != nil {
		return lifecycle.Permission(argument.Value.Raw), true
	}
	return "", true
}

func TestR52_EveryRootFieldStatesItsAccess(t *testing.T) {
	schema := schemaOf(t)
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		for _, f := range root.Fields {
			if permission, stated := permissionOf(f); !stated && !strings.HasPrefix(f.Name, "__") {
				t.Errorf("%s.%s states no access", root.Name, f.Name)
			} else if permission != "" && !permission.IsValid() {
				t.Errorf("%s.%s asks for %s", root.Name, f.Name, permission)
			}
		}
	}
}

// object is the type of the objects that a field leads to: below connections, edges and payloads.
func object(schema *ast.Schema, f *ast.FieldDefinition) *ast.Definition {
	d := schema.Types[f.Type.Name()]
	if strings.HasSuffix(d.Name, "Connection") {
		return schema.Types[d.Fields.ForName("nodes").Type.Name()]
	}
	return d
}

func TestR52_NestedFieldsAskForThePermissionOfWhatTheyShow(t *testing.T) {
	schema := schemaOf(t)
	// What is shown to callers without its permission guards all that it leads to.
	open := map[string]bool{}
	for field := range shown {
		parent, name, _ := strings.Cut(field, ".")
		if name != "*" {
			open[object(schema, schema.Types[parent].Fields.ForName(name)).Name] = true
		}
	}
	for _, d := range schema.Types {
		isPage := strings.HasSuffix(d.Name, "Connection") || strings.HasSuffix(d.Name, "Edge")
		isRoot := d == schema.Query || d == schema.Mutation || d == schema.Subscription
		isResult := strings.HasSuffix(d.Name, "Payload") || d.Name == "KeySetAssignment"
		if d.Kind != ast.Object || d.BuiltIn || isPage || isRoot || isResult {
			continue
		}
		for _, f := range d.Fields {
			needed, guarded := family[object(schema, f).Name]
			if !guarded || strings.HasPrefix(f.Name, "__") {
				continue
			}
			name := d.Name + "." + f.Name
			stated, _ := permissionOf(f)
			_, excepted := shown[name]
			sameFamily := family[d.Name] == needed && !open[d.Name]
			if stated != needed && !excepted && !sameFamily {
				t.Errorf("%s shows %s without asking for %s", name, f.Type, needed)
			}
			if f.Type.NonNull && stated != "" {
				t.Errorf("%s cannot be null, so its refusal takes its parent with it", name)
			}
		}
	}
}

func TestR52_EveryTypeOfObjectHasItsPermission(t *testing.T) {
	schema := schemaOf(t)
	for _, d := range schema.PossibleTypes["Node"] {
		// A tenant is one's own; whom an approval request or a notification concerns is known when it is loaded.
		if _, ok := family[d.Name]; !ok && d.Name != "Tenant" && d.Name != "ApprovalRequest" && d.Name != "Notification" {
			t.Errorf("%s is in no family", d.Name)
		}
	}
	for _, d := range schema.Types {
		if abstract := d.Kind == ast.Interface || d.Kind == ast.Union; abstract && !slices.Contains(append(atRunTime, "StreamMessage", "Credentials"), d.Name) {
			t.Errorf("nobody says what may be seen of %s", d.Name)
		}
	}
}

func TestR52_WithoutASignInEverythingIsRefused(t *testing.T) {
	w := newWorld(t)
	got := w.ask(nil, `{ viewer { tenant { id } } }`, nil)
	if len(got.Errors) != 1 || got.Errors[0].code() != "UNAUTHENTICATED" || at(got.Errors[0].Path, "0") != "viewer" || got.Data["viewer"] != nil {
		t.Errorf("got %v", got)
	}
	if got := w.ask(nil, `{ __schema { queryType { name } } }`, nil); len(got.Errors) > 0 {
		t.Errorf("the schema is no secret: %v", got.Errors)
	}
}

func TestR52_AMissingPermissionIsForbiddenWithThePathOfTheField(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.application("Shop")
	reader := w.with(lifecycle.PermissionKeySetRead)
	got := w.ask(&reader, `{ users { nodes { id } } keySets { nodes { name application { name organization { name } owner { email } } events { nodes { id } } } } }`, nil)
	if at(got.Data, "keySets.nodes.0.application.organization.name") != "Sales" || got.Data["users"] != nil {
		t.Errorf("data: %v", got.Data)
	}
	paths := map[string]bool{}
	for _, f := range got.Errors {
		if f.code() != "FORBIDDEN" {
			t.Errorf("code %v", f.code())
		}
		paths[strings.Trim(strings.ReplaceAll(strings.Join(texts(f.Path), "."), " ", ""), ".")] = true
	}
	if want := []string{"users", "keySets.nodes.0.application.owner", "keySets.nodes.0.events"}; len(paths) != 3 || !paths[want[0]] || !paths[want[1]] || !paths[want[2]] {
		t.Errorf("paths %v, want %v", paths, want)
	}
}

func TestR36_ADeniedRetrievalIsInTheLogWhateverItsComment(t *testing.T) {
	w := newWorld(t)
	w.settle()
	set := w.defaultKeySet(w.application("Shop").ID)
	reader := w.with(lifecycle.PermissionKeySetRead)
	retrieve := `mutation($in: RetrieveCredentialsInput!) { retrieveCredentials(input: $in) @idempotent(key: "k") { userErrors { code } } }`
	got := w.ask(&reader, retrieve, map[string]any{"in": map[string]any{"id": set.ID, "comment": strings.Repeat("x", 100_000)}})
	if len(got.Errors) != 1 || got.Errors[0].code() != "FORBIDDEN" {
		t.Errorf("got %v", got)
	}
	denied := lifecycle.EventCredentialsRetrievalDenied
	events := must(w.store.Events(t.Context(), w.admin.TenantID, query.EventQuery{
		Filter: &query.EventFilter{Type: &query.EventTypeComparator{Eq: &denied}},
	}, manage.Moment{Now: w.now}))(t)
	if len(events.Edges) != 1 || *events.Edges[0].Node.KeySetID != set.ID || *events.Edges[0].Node.IPAddress != "192.0.2.1" {
		t.Errorf("events: %v", events.Edges)
	}
}
