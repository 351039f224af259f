package manage

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
)

// maxURLLength bounds a documentation URL, in bytes.
const maxURLLength = 2000

// CreateAPI is what CreateAPI is asked for.
type CreateAPI struct {
	OrganizationID   lifecycle.OrganizationID
	Name             string
	Release          string // unique together with the name
	Description      *string
	DocumentationURL *string // absolute, http or https
	Labels           []lifecycle.Label
	Requirements     []lifecycle.AuthenticationRequirement // at least one, and one per authentication type (S0-18, S0-19)
	EnvironmentIDs   []lifecycle.EnvironmentID             // at least one
}

// CreateAPI adds an API to the catalogue, as a draft (S0-18 … S0-20).
func (s *Service) CreateAPI(ctx context.Context, call Call, in CreateAPI) (*lifecycle.API, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.API, error) {
		api := lifecycle.API{
			ID: lifecycle.APIID(w.moment.NewID(lifecycle.KindAPI)), TenantID: w.tenant.ID, OrganizationID: in.OrganizationID,
			Name: in.Name, Release: in.Release, Description: in.Description, DocumentationURL: in.DocumentationURL,
			Status: lifecycle.APIDraft, Labels: append([]lifecycle.Label{}, in.Labels...),
			Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
		}
		if err := checkAPI(api); err != nil {
			return nil, err
		}
		if _, err := lock[lifecycle.Organization](ctx, w, in.OrganizationID, "organization", "input", "organizationId"); err != nil {
			return nil, err
		}
		after := apiAccess{in.Requirements, in.EnvironmentIDs}
		templates, err := w.lockAccess(ctx, after)
		if err != nil {
			return nil, err
		}
		if err := after.check(apiAccess{}, templates); err != nil {
			return nil, err
		}
		if err := w.insert(ctx, &api); err != nil {
			return nil, err
		}
		if err := w.setAccess(ctx, api.ID, after); err != nil {
			return nil, err
		}
		changes := append(apiChanges(lifecycle.API{}, api), accessChanges(apiAccess{}, after)...)
		w.apiEvent(api, lifecycle.EventAPICreated, "was created", changes)
		return &api, nil
	})
}

// UpdateAPI is what UpdateAPI is asked for.
type UpdateAPI struct {
	ID               lifecycle.APIID
	ExpectedVersion  *int
	Name             Patch[string]
	Release          Patch[string]
	Description      Patch[*string]
	DocumentationURL Patch[*string]
	Labels           Patch[[]lifecycle.Label]
	Requirements     Patch[[]lifecycle.AuthenticationRequirement] // replaces them all
	EnvironmentIDs   Patch[[]lifecycle.EnvironmentID]             // replaces them all
}

// UpdateAPI changes an API. Other authentication requirements count for subscriptions to come;
// key sets that exist stay as they are.
func (s *Service) UpdateAPI(ctx context.Context, call Call, in UpdateAPI) (*lifecycle.API, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.API, error) {
		templates, err := w.lockAccess(ctx, apiAccess{in.Requirements.Value, in.EnvironmentIDs.Value})
		if err != nil {
			return nil, err
		}
		api, err := w.lockAPI(ctx, in.ID, in.ExpectedVersion)
		if err != nil {
			return nil, err
		}
		present, err := w.accessOf(ctx, api.ID)
		if err != nil {
			return nil, err
		}
		before, after := api, present
		in.apply(&api, &after)
		if err := checkAPI(api); err != nil {
			return nil, err
		}
		if in.Requirements.IsSet || in.EnvironmentIDs.IsSet {
			if err := after.check(present, templates); err != nil {
				return nil, err
			}
		}
		changes := append(apiChanges(before, api), accessChanges(present, after)...)
		if len(changes) == 0 {
			return &api, nil
		}
		if err := w.update(ctx, &api, &api.Version, &api.UpdatedAt); err != nil {
			return nil, err
		}
		if err := w.setAccess(ctx, api.ID, after); err != nil {
			return nil, err
		}
		w.apiEvent(api, lifecycle.EventAPIUpdated, "was changed", changes)
		return &api, nil
	})
}

func (in UpdateAPI) apply(api *lifecycle.API, how *apiAccess) {
	if in.Name.IsSet {
		api.Name = in.Name.Value
	}
	if in.Release.IsSet {
		api.Release = in.Release.Value
	}
	if in.Description.IsSet {
		api.Description = in.Description.Value
	}
	if in.DocumentationURL.IsSet {
		api.DocumentationURL = in.DocumentationURL.Value
	}
	if in.Labels.IsSet {
		api.Labels = append([]lifecycle.Label{}, in.Labels.Value...)
	}
	if in.Requirements.IsSet {
		how.requirements = in.Requirements.Value
	}
	if in.EnvironmentIDs.IsSet {
		how.environments = in.EnvironmentIDs.Value
	}
}

// PublishAPI opens an API for subscriptions, also one that was deprecated.
func (s *Service) PublishAPI(ctx context.Context, call Call, id lifecycle.APIID, expectedVersion *int) (*lifecycle.API, error) {
	return s.moveAPI(ctx, call, id, expectedVersion, lifecycle.MovePublish)
}

// DeprecateAPI refuses new subscriptions to an API; those that exist go on.
func (s *Service) DeprecateAPI(ctx context.Context, call Call, id lifecycle.APIID, expectedVersion *int) (*lifecycle.API, error) {
	return s.moveAPI(ctx, call, id, expectedVersion, lifecycle.MoveDeprecate)
}

// RetireAPI ends an API for good: it authorizes no key any more.
func (s *Service) RetireAPI(ctx context.Context, call Call, id lifecycle.APIID, expectedVersion *int) (*lifecycle.API, error) {
	return s.moveAPI(ctx, call, id, expectedVersion, lifecycle.MoveRetire)
}

func (s *Service) moveAPI(ctx context.Context, call Call, id lifecycle.APIID, expectedVersion *int, move lifecycle.Move) (*lifecycle.API, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.API, error) {
		api, err := w.lockAPI(ctx, id, expectedVersion)
		if err != nil {
			return nil, err
		}
		before := api.Status
		event, changed, err := api.Move(move)
		if err != nil || !changed {
			return &api, err
		}
		if err := w.update(ctx, &api, &api.Version, &api.UpdatedAt); err != nil {
			return nil, err
		}
		w.apiEvent(api, event, lifecycle.PastOf(move), lifecycle.Changed(nil, "status", string(before), string(api.Status)))
		return &api, nil
	})
}

// DeleteAPI removes an API that no live subscription refers to.
func (s *Service) DeleteAPI(ctx context.Context, call Call, id lifecycle.APIID, expectedVersion *int) error {
	_, err := changeActive(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
		api, err := w.lockAPI(ctx, id, expectedVersion)
		if err != nil {
			return struct{}{}, err
		}
		w.apiEvent(api, lifecycle.EventAPIDeleted, "was deleted", nil)
		return struct{}{}, w.deleteUnused(ctx, (*lifecycle.API)(nil), string(id), "API")
	})
	return err
}

func (w *work) lockAPI(ctx context.Context, id lifecycle.APIID, expected *int) (lifecycle.API, error) {
	return lockFresh(ctx, w, id, expected, func(a lifecycle.API) int { return a.Version }, "API")
}

func (w *work) apiEvent(api lifecycle.API, t lifecycle.EventType, what string, changes []lifecycle.Change) {
	w.happened(t, string(api.ID), fmt.Sprintf("API %q %s", api.Name+" "+api.Release, what), changes)
}

func checkAPI(api lifecycle.API) error {
	if err := lifecycle.CheckName(api.Name, "input", "name"); err != nil {
		return err
	}
	if err := lifecycle.CheckName(api.Release, "input", "release"); err != nil {
		return err
	}
	if err := checkDescription(api.Description); err != nil {
		return err
	}
	if err := lifecycle.CheckLabels(api.Labels, "input", "labels"); err != nil {
		return err
	}
	if api.DocumentationURL == nil {
		return nil
	}
	// People click on it in portals, so it must not be a script.
	u, err := url.Parse(*api.DocumentationURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(*api.DocumentationURL) > maxURLLength {
		return lifecycle.Invalid("is not an absolute http or https URL such as https://example.com/path", "input", "documentationUrl")
	}
	return nil
}

func apiChanges(before, after lifecycle.API) []lifecycle.Change {
	changes := lifecycle.Changed(nil, "name", before.Name, after.Name)
	changes = lifecycle.Changed(changes, "release", before.Release, after.Release)
	changes = lifecycle.Changed(changes, "organization", string(before.OrganizationID), string(after.OrganizationID))
	changes = lifecycle.Changed(changes, "description", text(before.Description), text(after.Description))
	changes = lifecycle.Changed(changes, "documentationUrl", text(before.DocumentationURL), text(after.DocumentationURL))
	return lifecycle.Changed(changes, "labels", labelsText(before.Labels), labelsText(after.Labels))
}

// apiAccess is how and where an API can be called.
type apiAccess struct {
	requirements []lifecycle.AuthenticationRequirement
	environments []lifecycle.EnvironmentID
}

// lockAccess locks the environments and the policy templates, so that they stay while an API
// begins to refer to them.
func (w *work) lockAccess(ctx context.Context, a apiAccess) ([]lifecycle.PolicyTemplate, error) {
	environmentID := func(e lifecycle.Environment) lifecycle.EnvironmentID { return e.ID }
	if _, err := lockAll(ctx, w, a.environments, environmentID, "environment", "input", "environmentIds"); err != nil {
		return nil, err
	}
	if len(a.requirements) == 0 {
		return nil, nil
	}
	if len(a.requirements) > len(lifecycle.AllAuthenticationType()) {
		return nil, lifecycle.Invalid("an authentication type stands twice", requirementsPath...)
	}
	var ids []string
	for _, r := range a.requirements {
		ids = append(ids, string(r.PolicyTemplateID))
	}
	var templates []lifecycle.PolicyTemplate
	if err := w.Lock(ctx, w.tenant.ID, &templates, wellFormed(distinct(ids))); err != nil {
		return nil, fmt.Errorf("lock policy templates: %w", err)
	}
	return templates, nil
}

var requirementsPath = []string{"input", "authenticationRequirements"}

// check refuses an API without an authentication type (S0-18) or an environment, two policies
// for one type (S0-19), a policy of another type, and an archived one that is not in use there
// already.
func (a apiAccess) check(present apiAccess, templates []lifecycle.PolicyTemplate) error {
	if len(a.requirements) == 0 {
		return lifecycle.Required("an API needs at least one authentication type", requirementsPath...)
	}
	if len(a.environments) == 0 {
		return lifecycle.Required("an API needs at least one environment", "input", "environmentIds")
	}
	for i, r := range a.requirements {
		path := at(requirementsPath, strconv.Itoa(i))
		sameType := func(o lifecycle.AuthenticationRequirement) bool { return o.AuthenticationType == r.AuthenticationType }
		if slices.ContainsFunc(a.requirements[:i], sameType) {
			return lifecycle.Invalid(fmt.Sprintf("%s stands twice", r.AuthenticationType), at(path, "authenticationType")...)
		}
		if slices.Contains(present.requirements, r) {
			continue
		}
		found := slices.IndexFunc(templates, func(t lifecycle.PolicyTemplate) bool { return t.ID == r.PolicyTemplateID })
		switch {
		case found < 0:
			return lifecycle.NotFound("policy template", at(path, "policyTemplateId")...)
		case templates[found].AuthenticationType != r.AuthenticationType:
			return lifecycle.Invalid(fmt.Sprintf("the policy template is for %s", templates[found].AuthenticationType), at(path, "policyTemplateId")...)
		case templates[found].IsArchived:
			return lifecycle.Invalid("the policy template is archived", at(path, "policyTemplateId")...)
		}
	}
	return nil
}

func (w *work) accessOf(ctx context.Context, id lifecycle.APIID) (a apiAccess, err error) {
	if a.requirements, err = w.Requirements(ctx, w.tenant.ID, id); err != nil {
		return a, fmt.Errorf("load requirements of %s: %w", id, err)
	}
	if a.environments, err = w.APIEnvironments(ctx, w.tenant.ID, id); err != nil {
		return a, fmt.Errorf("load environments of %s: %w", id, err)
	}
	return a, nil
}

func (w *work) setAccess(ctx context.Context, id lifecycle.APIID, a apiAccess) error {
	if err := w.SetRequirements(ctx, w.tenant.ID, id, a.requirements); err != nil {
		return fmt.Errorf("set requirements of %s: %w", id, err)
	}
	if err := w.SetAPIEnvironments(ctx, w.tenant.ID, id, distinct(a.environments)); err != nil {
		return fmt.Errorf("set environments of %s: %w", id, err)
	}
	return nil
}

func accessChanges(before, after apiAccess) []lifecycle.Change {
	changes := lifecycle.Changed(nil, "authenticationRequirements", requirementsText(before.requirements), requirementsText(after.requirements))
	return lifecycle.Changed(changes, "environments", listText(distinct(before.environments)), listText(distinct(after.environments)))
}

func requirementsText(requirements []lifecycle.AuthenticationRequirement) string {
	all := make([]string, len(requirements))
	for i, r := range requirements {
		all[i] = string(r.AuthenticationType) + " by " + string(r.PolicyTemplateID)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
