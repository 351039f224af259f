package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) CreateTenant(ctx context.Context, in gen.CreateTenantInput) (*gen.CreateTenantPayload, error) {
	done, err := m.Manage.CreateTenant(ctx, m.call(ctx, nil), manage.CreateTenant{
		Name: in.Name, Slug: in.Slug, AdministratorEmail: in.AdministratorEmail,
	})
	payload := &gen.CreateTenantPayload{}
	if done != nil {
		payload.Tenant, payload.Administrator, payload.SignInKey = &done.Tenant, &done.Administrator, shown(done.SignInKey)
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateTenant(ctx context.Context, in gen.UpdateTenantInput) (*gen.UpdateTenantPayload, error) {
	tenant, err := m.Manage.UpdateTenant(ctx, m.call(ctx, nil), manage.UpdateTenant{
		ID: lifecycle.TenantID(in.ID), ExpectedVersion: optional(in.ExpectedVersion), Name: patch(in.Name),
	})
	payload := &gen.UpdateTenantPayload{Tenant: tenant}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateTenantSettings(ctx context.Context, in gen.UpdateTenantSettingsInput) (*gen.UpdateTenantSettingsPayload, error) {
	tenant, err := m.Manage.UpdateTenantSettings(ctx, m.call(ctx, nil), manage.UpdateTenantSettings{
		ExpectedVersion: optional(in.ExpectedVersion), TimeZone: patch(in.TimeZone), KeyPrefix: patch(in.KeyPrefix),
		IdempotencyRetention: patch(in.IdempotencyRetention),
		MailSubjectPrefix:    patch(in.MailSubjectPrefix), NotificationRules: patchRules(in.NotificationRules.Value()),
		DefaultEnvironmentID:    patchID[lifecycle.EnvironmentID](in.DefaultEnvironmentID),
		DefaultPolicyTemplateID: patchID[lifecycle.PolicyTemplateID](in.DefaultPolicyTemplateID),

		ExpirationNoticeLeadTimes:      patchList(in.ExpirationNoticeLeadTimes),
		IsDailyExpirationNoticeEnabled: patch(in.IsDailyExpirationNoticeEnabled),
	})
	payload := &gen.UpdateTenantSettingsPayload{}
	if tenant != nil {
		payload.Settings = object.SettingsOf(*tenant)
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) SuspendTenant(ctx context.Context, in gen.SuspendTenantInput) (*gen.SuspendTenantPayload, error) {
	tenant, err := m.Manage.SuspendTenant(ctx, m.call(ctx, optional(in.Comment)), lifecycle.TenantID(in.ID))
	payload := &gen.SuspendTenantPayload{Tenant: tenant}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) ReactivateTenant(ctx context.Context, in gen.ReactivateTenantInput) (*gen.ReactivateTenantPayload, error) {
	tenant, err := m.Manage.ReactivateTenant(ctx, m.call(ctx, optional(in.Comment)), lifecycle.TenantID(in.ID))
	payload := &gen.ReactivateTenantPayload{Tenant: tenant}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
