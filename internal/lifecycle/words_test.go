package lifecycle_test

import (
	"database/sql"
	"database/sql/driver"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	schema "github.com/vektah/gqlparser/v2/ast"
	graphql "github.com/vektah/gqlparser/v2/parser"

	"github.com/keywright/keywright/internal/lifecycle"
)

// constantsByType reads the package's own source: type → values of its constants.
func constantsByType(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, isValue := n.(*ast.ValueSpec)
			if !isValue || spec.Type == nil || len(spec.Values) != 1 {
				return true
			}
			typ, isNamed := spec.Type.(*ast.Ident)
			text, isText := spec.Values[0].(*ast.BasicLit)
			if isNamed && isText && text.Kind == token.STRING {
				value, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Fatal(err)
				}
				values[typ.Name] = append(values[typ.Name], value)
			}
			return true
		})
	}
	return values
}

// enumsOfSchema reads the contract: enum → values.
func enumsOfSchema(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := graphql.ParseSchema(&schema.Source{Name: "schema.graphqls", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	enums := map[string][]string{}
	for _, def := range doc.Definitions {
		if def.Kind == schema.Enum {
			for _, value := range def.EnumValues {
				enums[def.Name] = append(enums[def.Name], value.Name)
			}
		}
	}
	return enums
}

func texts[E ~string](all []E) []string {
	var out []string
	for _, e := range all {
		out = append(out, string(e))
	}
	return out
}

// listed are the sets with a function that lists them, by the name of their Go type.
func listed() map[string][]string {
	return map[string][]string{
		"TenantStatus": texts(lifecycle.AllTenantStatus()), "UserStatus": texts(lifecycle.AllUserStatus()), "Permission": texts(lifecycle.AllPermission()),
		"AuthenticationType": texts(lifecycle.AllAuthenticationType()), "SecretStorage": texts(lifecycle.AllSecretStorage()),
		"RotationMode": texts(lifecycle.AllRotationMode()), "APIStatus": texts(lifecycle.AllAPIStatus()), "ApplicationStatus": texts(lifecycle.AllApplicationStatus()),
		"APISubscriptionStatus": texts(lifecycle.AllAPISubscriptionStatus()), "KeySetStatus": texts(lifecycle.AllKeySetStatus()),
		"SuspensionCause": texts(lifecycle.AllSuspensionCause()), "KeyStatus": texts(lifecycle.AllKeyStatus()), "RevocationReason": texts(lifecycle.AllRevocationReason()),
		"OAuthClientType": texts(lifecycle.AllOAuthClientType()), "MilestoneKind": texts(lifecycle.AllMilestoneKind()), "MilestoneStatus": texts(lifecycle.AllMilestoneStatus()),
		"KeySetAction": texts(lifecycle.AllKeySetAction()), "ActionUnavailableReason": texts(lifecycle.AllActionUnavailableReason()),
		"RenewalMode": texts(lifecycle.AllRenewalMode()), "ApprovalAction": texts(lifecycle.AllApprovalAction()), "ApprovalMode": texts(lifecycle.AllApprovalMode()),
		"ApprovalStatus": texts(lifecycle.AllApprovalStatus()), "EventType": texts(lifecycle.AllEventType()), "NotificationKind": texts(lifecycle.AllNotificationKind()), "NotificationStatus": texts(lifecycle.AllNotificationStatus()), "QuotaPeriod": texts(lifecycle.AllQuotaPeriod()), "VerdictCode": texts(lifecycle.AllVerdictCode()), "Kind": texts(lifecycle.AllKind()),
	}
}

func sameWords(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b) && len(slices.Compact(a)) == len(b)
}

func TestWords_EveryListHoldsEveryConstant(t *testing.T) {
	constants := constantsByType(t)
	for name, all := range listed() {
		if !sameWords(all, constants[name]) {
			t.Errorf("%s: listed %v, declared %v", name, all, constants[name])
		}
	}
}

func TestWords_AreThoseOfTheSchema(t *testing.T) {
	constants, enums := constantsByType(t), enumsOfSchema(t)
	elsewhere := []string{"OrderDirection", "StreamMessageKind", "ChangeKind", "StreamReason"} // words of the edge
	inGo := map[string]string{
		"ApiStatus": "APIStatus", "ApiSubscriptionStatus": "APISubscriptionStatus", "UserErrorCode": "RefusalCode",
	}
	compared := 0
	for name, values := range enums {
		if slices.Contains(elsewhere, name) || strings.HasSuffix(name, "OrderField") {
			continue
		}
		goName := name
		if other, renamed := inGo[name]; renamed {
			goName = other
		}
		if !sameWords(values, constants[goName]) {
			t.Errorf("enum %s: schema has %v, the core has %v", name, values, constants[goName])
		}
		compared++
	}
	if compared < 20 {
		t.Errorf("only %d enums were compared", compared)
	}
	for name := range listed() {
		if _, inSchema := enums[strings.Replace(name, "API", "Api", 1)]; !inSchema && name != "Kind" {
			t.Errorf("%s is no enum of the schema", name)
		}
	}
}

func TestWords_UnknownOnesAreNeitherReadNorStored(t *testing.T) {
	type word interface {
		sql.Scanner
		driver.Valuer
	}
	known := map[string]word{
		"ACTIVE": new(lifecycle.KeySetStatus), "RETIRING": new(lifecycle.KeyStatus), "SUSPENDED": new(lifecycle.TenantStatus), "INVITED": new(lifecycle.UserStatus),
		"API_KEY": new(lifecycle.AuthenticationType), "HASHED": new(lifecycle.SecretStorage), "DRAFT": new(lifecycle.APIStatus),
		"REJECTED": new(lifecycle.APISubscriptionStatus), "MANUAL": new(lifecycle.SuspensionCause), "OTHER": new(lifecycle.RevocationReason),
		"ROTATION": new(lifecycle.MilestoneKind), "PLANNED": new(lifecycle.MilestoneStatus),
	}
	application := new(lifecycle.ApplicationStatus)
	for text, w := range known {
		for _, src := range []any{"", "active", text + " ", []byte("X"), nil, 5} {
			if err := w.Scan(src); err == nil {
				t.Errorf("%T reads %v", w, src)
			}
		}
		if v, err := w.Value(); err == nil {
			t.Errorf("%T without a value is stored as %v", w, v)
		}
		if err := w.Scan([]byte(text)); err != nil {
			t.Error(err)
		}
		if v, err := w.Value(); err != nil || v != text {
			t.Errorf("%T is stored as %v (%v)", w, v, err)
		}
	}
	if application.Scan("PENDING") == nil || application.Scan("ACTIVE") != nil {
		t.Error("an application reads another word than its own")
	}
}

// Newer nodes write events that this version does not know; it reads them on, and writes none.
func TestR18_AnEventOfALaterVersionIsReadAndNotStored(t *testing.T) {
	var e lifecycle.EventType
	if err := e.Scan("KEY_SET_OF_TOMORROW"); err != nil || e != "KEY_SET_OF_TOMORROW" {
		t.Errorf("read %q (%v)", e, err)
	}
	if v, err := e.Value(); err == nil {
		t.Errorf("stored as %v", v)
	}
}

func TestEvents_OfKeySetsSayWhatHappened(t *testing.T) {
	set := lifecycle.KeySet{ID: "ks_1", Name: "API key – Shop"}
	for _, e := range lifecycle.AllEventType() {
		about := strings.HasPrefix(string(e), "KEY_") || strings.HasPrefix(string(e), "CREDENTIALS_") || e == lifecycle.EventDefaultKeySetSet
		if summary := set.Event(e).Summary; about && len(summary) <= len(`Key set "API key – Shop" `) {
			t.Errorf("%s says %q", e, summary)
		}
	}
}

func TestChanged_RecordsOnlyWhatChanged(t *testing.T) {
	c := lifecycle.Changed(nil, "a", "x", "x")
	c = lifecycle.Changed(c, "b", "", "y")
	c = lifecycle.Changed(c, "c", "x", "")
	if len(c) != 2 || c[0].Property != "b" || c[0].Before != nil || *c[0].After != "y" || *c[1].Before != "x" || c[1].After != nil {
		t.Errorf("%+v", c)
	}
}
