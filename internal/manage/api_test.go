package manage_test

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func TestD22_RevisionRisesOnlyWithTheRules(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	c := h.catalogue(by)
	days, long := lifecycle.Days(30), lifecycle.Days(400)
	prefix := "acme"
	purpose := "for partners"
	for _, s := range []struct {
		name     string
		in       manage.UpdatePolicyTemplate
		revision int
		version  int
	}{
		{"name", manage.UpdatePolicyTemplate{Name: manage.SetTo("Stricter")}, 1, 2},
		{"description", manage.UpdatePolicyTemplate{Description: manage.SetTo(&purpose)}, 1, 3},
		{"validity", manage.UpdatePolicyTemplate{Expiration: manage.SetTo(lifecycle.ExpirationRule{Validity: &days})}, 2, 4},
		{"same validity", manage.UpdatePolicyTemplate{Expiration: manage.SetTo(lifecycle.ExpirationRule{Validity: &days})}, 2, 4},
		{"prefix", manage.UpdatePolicyTemplate{KeyPrefix: manage.SetTo(&prefix)}, 3, 5},
		{"no prefix", manage.UpdatePolicyTemplate{KeyPrefix: manage.SetTo[*string](nil)}, 4, 6},
		{"rotation", manage.UpdatePolicyTemplate{Rotation: manage.SetTo(lifecycle.RotationRule{IsManualRegenerationAllowed: true})}, 5, 7},
	} {
		s.in.ID = c.template.ID
		got := must(h.UpdatePolicyTemplate(ctx, by, s.in))(t)
		if got.Revision != s.revision || got.Version != s.version {
			t.Errorf("%s: revision %d, version %d, want %d and %d", s.name, got.Revision, got.Version, s.revision, s.version)
		}
	}
	for _, s := range []struct {
		path string
		in   manage.UpdatePolicyTemplate
	}{
		{"input.expiration.validity", manage.UpdatePolicyTemplate{Expiration: manage.SetTo(lifecycle.ExpirationRule{Validity: new(lifecycle.Duration)})}},
		{"input.rotation.interval", manage.UpdatePolicyTemplate{Rotation: manage.SetTo(lifecycle.RotationRule{Mode: lifecycle.RotationAutomatic, Interval: &long})}},
		{"input.keyPrefix", manage.UpdatePolicyTemplate{KeyPrefix: manage.SetTo(new(string))}},
	} {
		s.in.ID = c.template.ID
		wantRefusal(t, "bad rule", of(h.UpdatePolicyTemplate(ctx, by, s.in)), lifecycle.CodeInvalid, s.path)
	}
	// The frozen revision is there: a key set can be made under it.
	app := must(h.CreateApplication(ctx, by, manage.CreateApplication{OrganizationID: c.org.ID, Name: "Shop"}))(t)
	set := must(h.CreateKeySet(ctx, by, manage.CreateKeySet{
		ApplicationID: app.Application.ID, EnvironmentID: c.env.ID, PolicyTemplateID: c.template.ID, AuthenticationType: lifecycle.AuthenticationAPIKey,
	}))(t)
	if want := h.now().AddDate(0, 0, 30); set.KeySet.ExpiresAt == nil || !set.KeySet.ExpiresAt.Equal(want) {
		t.Errorf("key set under the newest revision expires %v, want %v", set.KeySet.ExpiresAt, want)
	}
}

func TestArchivedTemplateIsRefusedWhereItIsNew(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	c := h.catalogue(by)
	must(h.ArchivePolicyTemplate(ctx, by, c.template.ID, nil))(t)
	wantRefusal(t, "new API", of(h.CreateAPI(ctx, by, c.newAPI("Orders"))), lifecycle.CodeInvalid, "input.authenticationRequirements.0.policyTemplateId")
	wantRefusal(t, "settings", of(h.UpdateTenantSettings(ctx, by, manage.UpdateTenantSettings{DefaultPolicyTemplateID: manage.SetTo(&c.template.ID)})),
		lifecycle.CodeInvalid, "input.defaultPolicyTemplateId")
	// Where it is in use it stays, whatever else changes.
	basic := must(h.CreatePolicyTemplate(ctx, by, manage.CreatePolicyTemplate{Name: "Basic", AuthenticationType: lifecycle.AuthenticationBasic}))(t)
	requirements := append(c.newAPI("").Requirements, lifecycle.AuthenticationRequirement{AuthenticationType: lifecycle.AuthenticationBasic, PolicyTemplateID: basic.ID})
	must(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, Requirements: manage.SetTo(requirements)}))(t)
	must(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, Requirements: manage.SetTo(requirements[1:])}))(t)
	wantRefusal(t, "back again", of(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, Requirements: manage.SetTo(requirements)})),
		lifecycle.CodeInvalid, "input.authenticationRequirements.0.policyTemplateId")
}

func TestS0_18_AnAPIHasOnePolicyForEachOfItsAuthenticationTypes(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	c := h.catalogue(by)
	create := func(edit func(in *manage.CreateAPI)) error {
		in := c.newAPI("Orders")
		edit(&in)
		return of(h.CreateAPI(ctx, by, in))
	}
	script, long := "javascript:alert(1)", "https://example.com/"+strings.Repeat("x", 2000)
	wantRefusal(t, "no type", create(func(in *manage.CreateAPI) { in.Requirements = nil }), lifecycle.CodeRequired, "input.authenticationRequirements")
	wantRefusal(t, "no environment", create(func(in *manage.CreateAPI) { in.EnvironmentIDs = nil }), lifecycle.CodeRequired, "input.environmentIds")
	wantRefusal(t, "a type twice", create(func(in *manage.CreateAPI) { in.Requirements = append(in.Requirements, in.Requirements[0]) }),
		lifecycle.CodeInvalid, "input.authenticationRequirements.1.authenticationType")
	wantRefusal(t, "template of another type", create(func(in *manage.CreateAPI) { in.Requirements[0].AuthenticationType = lifecycle.AuthenticationBasic }),
		lifecycle.CodeInvalid, "input.authenticationRequirements.0.policyTemplateId")
	wantRefusal(t, "script", create(func(in *manage.CreateAPI) { in.DocumentationURL = &script }), lifecycle.CodeInvalid, "input.documentationUrl")
	wantRefusal(t, "long URL", create(func(in *manage.CreateAPI) { in.DocumentationURL = &long }), lifecycle.CodeInvalid, "input.documentationUrl")
	wantRefusal(t, "label twice", create(func(in *manage.CreateAPI) { in.Labels = []lifecycle.Label{{Name: "a"}, {Name: "a"}} }),
		lifecycle.CodeInvalid, "input.labels.1.name")
	wantRefusal(t, "no credentials of the type", of(h.CreatePolicyTemplate(ctx, by, manage.CreatePolicyTemplate{
		Name: "Signed", AuthenticationType: "HMAC",
	})), lifecycle.CodeInvalid, "input.authenticationType")
	if c.api.Status != lifecycle.APIDraft {
		t.Errorf("born %s, want DRAFT", c.api.Status)
	}
}

func TestAPIMovesAsItsTableSays(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	c := h.catalogue(by)
	moves := map[lifecycle.Move]func(id lifecycle.APIID) (*lifecycle.API, error){
		lifecycle.MovePublish:   func(id lifecycle.APIID) (*lifecycle.API, error) { return h.PublishAPI(ctx, by, id, nil) },
		lifecycle.MoveDeprecate: func(id lifecycle.APIID) (*lifecycle.API, error) { return h.DeprecateAPI(ctx, by, id, nil) },
		lifecycle.MoveRetire:    func(id lifecycle.APIID) (*lifecycle.API, error) { return h.RetireAPI(ctx, by, id, nil) },
	}
	target := map[lifecycle.Move]lifecycle.APIStatus{
		lifecycle.MovePublish: lifecycle.APIPublished, lifecycle.MoveDeprecate: lifecycle.APIDeprecated, lifecycle.MoveRetire: lifecycle.APIRetired,
	}
	way := map[lifecycle.APIStatus][]lifecycle.Move{
		lifecycle.APIDraft:      nil,
		lifecycle.APIPublished:  {lifecycle.MovePublish},
		lifecycle.APIDeprecated: {lifecycle.MovePublish, lifecycle.MoveDeprecate},
		lifecycle.APIRetired:    {lifecycle.MovePublish, lifecycle.MoveRetire},
	}
	legal := map[string]bool{
		"DRAFT PUBLISH": true, "PUBLISHED DEPRECATE": true, "PUBLISHED RETIRE": true, "DEPRECATED PUBLISH": true, "DEPRECATED RETIRE": true,
	}
	for from, before := range way {
		for move, call := range moves {
			name := string(from) + " " + string(move)
			api := must(h.CreateAPI(ctx, by, c.newAPI(name)))(t)
			for _, m := range before {
				must(moves[m](api.ID))(t)
			}
			got, err := call(api.ID)
			if legal[name] || target[move] == from {
				if err != nil || got.Status != target[move] {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if r := wantRefusal(t, name, err, lifecycle.CodeInvalidStatusTransition, "input.id"); r.CurrentStatus != string(from) {
				t.Errorf("%s: current status %q", name, r.CurrentStatus)
			}
		}
	}
}
