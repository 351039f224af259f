package manage

import (
	"context"
	"fmt"

	"github.com/keywright/keywright/internal/lifecycle"
)

// CreateOrganization is what CreateOrganization is asked for.
type CreateOrganization struct {
	Name string // unique in the tenant
}

// CreateOrganization adds an organization.
func (s *Service) CreateOrganization(ctx context.Context, call Call, in CreateOrganization) (*lifecycle.Organization, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Organization, error) {
		if err := lifecycle.CheckName(in.Name, "input", "name"); err != nil {
			return nil, err
		}
		org := lifecycle.Organization{
			ID: lifecycle.OrganizationID(w.moment.NewID(lifecycle.KindOrganization)), TenantID: w.tenant.ID, Name: in.Name,
			Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
		}
		if err := w.insert(ctx, &org); err != nil {
			return nil, err
		}
		w.happened(lifecycle.EventOrganizationCreated, string(org.ID), fmt.Sprintf("Organization %q was created", org.Name),
			lifecycle.Changed(nil, "name", "", org.Name))
		return &org, nil
	})
}

// UpdateOrganization is what UpdateOrganization is asked for.
type UpdateOrganization struct {
	ID              lifecycle.OrganizationID
	ExpectedVersion *int
	Name            Patch[string]
}

// UpdateOrganization changes the name of an organization.
func (s *Service) UpdateOrganization(ctx context.Context, call Call, in UpdateOrganization) (*lifecycle.Organization, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Organization, error) {
		org, err := w.lockOrganization(ctx, in.ID, in.ExpectedVersion)
		if err != nil || !in.Name.IsSet || in.Name.Value == org.Name {
			return &org, err
		}
		if err := lifecycle.CheckName(in.Name.Value, "input", "name"); err != nil {
			return nil, err
		}
		changes := lifecycle.Changed(nil, "name", org.Name, in.Name.Value)
		org.Name = in.Name.Value
		if err := w.update(ctx, &org, &org.Version, &org.UpdatedAt); err != nil {
			return nil, err
		}
		w.happened(lifecycle.EventOrganizationUpdated, string(org.ID), fmt.Sprintf("Organization %q was changed", org.Name), changes)
		return &org, nil
	})
}

// DeleteOrganization removes an organization that nothing refers to.
func (s *Service) DeleteOrganization(ctx context.Context, call Call, id lifecycle.OrganizationID, expectedVersion *int) error {
	_, err := changeActive(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
		org, err := w.lockOrganization(ctx, id, expectedVersion)
		if err != nil {
			return struct{}{}, err
		}
		w.happened(lifecycle.EventOrganizationDeleted, string(id), fmt.Sprintf("Organization %q was deleted", org.Name), nil)
		return struct{}{}, w.deleteUnused(ctx, (*lifecycle.Organization)(nil), string(id), "organization")
	})
	return err
}

func (w *work) lockOrganization(ctx context.Context, id lifecycle.OrganizationID, expected *int) (lifecycle.Organization, error) {
	return lockFresh(ctx, w, id, expected, func(o lifecycle.Organization) int { return o.Version }, "organization")
}
