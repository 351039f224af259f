package manage

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// UpdateTenant is what UpdateTenant is asked for.
type UpdateTenant struct {
	ID              lifecycle.TenantID // the caller's own
	ExpectedVersion *int
	Name            Patch[string]
}

// UpdateTenant changes the name of the caller's tenant.
func (s *Service) UpdateTenant(ctx context.Context, call Call, in UpdateTenant) (*lifecycle.Tenant, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Tenant, error) {
		if in.ID != w.tenant.ID {
			return nil, lifecycle.NotFound("tenant", inputID...)
		}
		if err := w.lockTenant(ctx, in.ExpectedVersion); err != nil {
			return nil, err
		}
		if !in.Name.IsSet || in.Name.Value == w.tenant.Name {
			return &w.tenant, nil
		}
		if err := lifecycle.CheckName(in.Name.Value, "input", "name"); err != nil {
			return nil, err
		}
		changes := lifecycle.Changed(nil, "name", w.tenant.Name, in.Name.Value)
		w.tenant.Name = in.Name.Value
		return w.saveTenant(ctx, lifecycle.EventTenantUpdated, "was changed", changes)
	})
}

// UpdateTenantSettings is what UpdateTenantSettings is asked for.
type UpdateTenantSettings struct {
	ExpectedVersion         *int
	TimeZone                Patch[string]             // IANA name
	KeyPrefix               Patch[string]             // 2 to 12 lower-case letters and digits, a letter first
	IdempotencyRetention    Patch[lifecycle.Duration] // PT1H to P30D
	DefaultEnvironmentID    Patch[*lifecycle.EnvironmentID]
	DefaultPolicyTemplateID Patch[*lifecycle.PolicyTemplateID] // of type API_KEY, and not archived unless it is the default already (D18)

	ExpirationNoticeLeadTimes      Patch[[]lifecycle.Duration] // at most ten, positive, none twice
	IsDailyExpirationNoticeEnabled Patch[bool]
	MailSubjectPrefix              Patch[string]                       // at most 40 characters on one line; empty: none
	NotificationRules              Patch[[]lifecycle.NotificationRule] // each in the place of the one for its kind
}

// UpdateTenantSettings changes the settings of the caller's tenant. They share its version.
func (s *Service) UpdateTenantSettings(ctx context.Context, call Call, in UpdateTenantSettings) (*lifecycle.Tenant, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Tenant, error) {
		if err := w.lockTenant(ctx, in.ExpectedVersion); err != nil {
			return nil, err
		}
		before := w.tenant.Settings
		after := in.apply(before)
		if err := in.check(after); err != nil {
			return nil, err
		}
		if err := w.checkRules(ctx, in.NotificationRules.Value); err != nil {
			return nil, err
		}
		if err := w.checkDefaults(ctx, before, after); err != nil {
			return nil, err
		}
		changes := settingsChanges(before, after)
		if len(changes) == 0 {
			return &w.tenant, nil
		}
		w.tenant.Settings = after
		if before.LeadTimesText() != after.LeadTimesText() || before.IsDailyExpirationNoticeEnabled != after.IsDailyExpirationNoticeEnabled || before.TimeZone != after.TimeZone {
			// What was to be told until now has been, or is due anyway.
			if err := w.StartNoticePlan(ctx, w.tenant.ID, w.moment.Now.Add(time.Microsecond)); err != nil {
				return nil, err
			}
		}
		return w.saveTenant(ctx, lifecycle.EventTenantSettingsUpdated, "has other settings", changes)
	})
}

func (in UpdateTenantSettings) apply(settings lifecycle.TenantSettings) lifecycle.TenantSettings {
	if in.TimeZone.IsSet {
		settings.TimeZone = in.TimeZone.Value
	}
	if in.KeyPrefix.IsSet {
		settings.KeyPrefix = in.KeyPrefix.Value
	}
	if in.IdempotencyRetention.IsSet {
		settings.IdempotencyRetention = in.IdempotencyRetention.Value
	}
	if in.DefaultEnvironmentID.IsSet {
		settings.DefaultEnvironmentID = in.DefaultEnvironmentID.Value
	}
	if in.DefaultPolicyTemplateID.IsSet {
		settings.DefaultPolicyTemplateID = in.DefaultPolicyTemplateID.Value
	}
	if in.ExpirationNoticeLeadTimes.IsSet {
		settings.ExpirationNoticeLeadTimes = lifecycle.LongestFirst(in.ExpirationNoticeLeadTimes.Value)
	}
	if in.IsDailyExpirationNoticeEnabled.IsSet {
		settings.IsDailyExpirationNoticeEnabled = in.IsDailyExpirationNoticeEnabled.Value
	}
	if in.MailSubjectPrefix.IsSet {
		settings.MailSubjectPrefix = in.MailSubjectPrefix.Value
	}
	if in.NotificationRules.IsSet {
		settings.NotificationRules = mergeRules(settings.NotificationRules, in.NotificationRules.Value)
	}
	return settings
}

// check judges what is new only: a zone that this machine does not know must not stand in the
// way of another setting.
func (in UpdateTenantSettings) check(after lifecycle.TenantSettings) error {
	if in.TimeZone.IsSet {
		if _, err := time.LoadLocation(after.TimeZone); err != nil || after.TimeZone == "" || after.TimeZone == "Local" {
			return lifecycle.Invalid("is not the IANA name of a time zone such as Europe/Berlin", "input", "timeZone")
		}
	}
	if in.KeyPrefix.IsSet {
		if err := checkKeyPrefix(after.KeyPrefix); err != nil {
			return err
		}
	}
	if in.ExpirationNoticeLeadTimes.IsSet {
		if err := lifecycle.CheckLeadTimes(in.ExpirationNoticeLeadTimes.Value, "input", "expirationNoticeLeadTimes"); err != nil {
			return err
		}
	}
	if in.MailSubjectPrefix.IsSet {
		if err := checkSubjectPrefix(after.MailSubjectPrefix, "input", "mailSubjectPrefix"); err != nil {
			return err
		}
	}
	if !in.IdempotencyRetention.IsSet {
		return nil
	}
	// July has 31 days, so no month counts as 30 days or fewer.
	start := time.Date(2001, time.July, 1, 0, 0, 0, 0, time.UTC)
	length := after.IdempotencyRetention.AddTo(start, time.UTC).Sub(start)
	if length < time.Hour || length > 30*24*time.Hour {
		return lifecycle.Invalid("must be from PT1H to P30D", "input", "idempotencyRetention")
	}
	return nil
}

func checkKeyPrefix(prefix string) error {
	if err := secret.CheckPrefix(prefix); err != nil {
		return lifecycle.Invalid(err.Error(), "input", "keyPrefix")
	}
	switch prefix {
	case SignInKeyPrefix:
		return lifecycle.Invalid("is reserved for sign-in keys", "input", "keyPrefix")
	case GatewayTokenPrefix:
		return lifecycle.Invalid("is reserved for gateway tokens", "input", "keyPrefix")
	}
	return nil
}

// checkDefaults locks what the settings begin to refer to (D18).
func (w *work) checkDefaults(ctx context.Context, before, after lifecycle.TenantSettings) error {
	if env := after.DefaultEnvironmentID; env != nil && text(env) != text(before.DefaultEnvironmentID) {
		if _, err := lock[lifecycle.Environment](ctx, w, *env, "environment", "input", "defaultEnvironmentId"); err != nil {
			return err
		}
	}
	id := after.DefaultPolicyTemplateID
	if id == nil || text(id) == text(before.DefaultPolicyTemplateID) {
		return nil
	}
	path := []string{"input", "defaultPolicyTemplateId"}
	template, err := lock[lifecycle.PolicyTemplate](ctx, w, *id, "policy template", path...)
	switch {
	case err != nil:
		return err
	case template.AuthenticationType != lifecycle.AuthenticationAPIKey:
		return lifecycle.Invalid(fmt.Sprintf("the policy template is for %s; that of default key sets is for API_KEY", template.AuthenticationType), path...)
	case template.IsArchived:
		return lifecycle.Invalid("the policy template is archived", path...)
	}
	return nil
}

func settingsChanges(before, after lifecycle.TenantSettings) []lifecycle.Change {
	changes := lifecycle.Changed(nil, "timeZone", before.TimeZone, after.TimeZone)
	changes = lifecycle.Changed(changes, "keyPrefix", before.KeyPrefix, after.KeyPrefix)
	changes = lifecycle.Changed(changes, "idempotencyRetention", before.IdempotencyRetention.String(), after.IdempotencyRetention.String())
	changes = lifecycle.Changed(changes, "expirationNoticeLeadTimes", before.LeadTimesText(), after.LeadTimesText())
	changes = lifecycle.Changed(changes, "isDailyExpirationNoticeEnabled", strconv.FormatBool(before.IsDailyExpirationNoticeEnabled), strconv.FormatBool(after.IsDailyExpirationNoticeEnabled))
	changes = lifecycle.Changed(changes, "mailSubjectPrefix", before.MailSubjectPrefix, after.MailSubjectPrefix)
	changes = lifecycle.Changed(changes, "notificationRules", rulesText(before.NotificationRules), rulesText(after.NotificationRules))
	changes = lifecycle.Changed(changes, "defaultEnvironment", text(before.DefaultEnvironmentID), text(after.DefaultEnvironmentID))
	return lifecycle.Changed(changes, "defaultPolicyTemplate", text(before.DefaultPolicyTemplateID), text(after.DefaultPolicyTemplateID))
}

// SuspendTenant makes a tenant read-only; each of its keys is refused. It is the operators' own
// use case, and the tenant need not be the caller's.
func (s *Service) SuspendTenant(ctx context.Context, call Call, id lifecycle.TenantID) (*lifecycle.Tenant, error) {
	return s.moveTenant(ctx, call, id, lifecycle.MoveSuspend)
}

// ReactivateTenant makes a suspended tenant work again. It is the operators' own use case, and
// the tenant need not be the caller's.
func (s *Service) ReactivateTenant(ctx context.Context, call Call, id lifecycle.TenantID) (*lifecycle.Tenant, error) {
	return s.moveTenant(ctx, call, id, lifecycle.MoveReactivate)
}

func (s *Service) moveTenant(ctx context.Context, call Call, id lifecycle.TenantID, move lifecycle.Move) (*lifecycle.Tenant, error) {
	return changeIn(ctx, s, call, id, func(ctx context.Context, w *work) (*lifecycle.Tenant, error) {
		if err := w.lockTenant(ctx, nil); err != nil {
			return nil, err
		}
		before := w.tenant.Status
		event, changed, err := w.tenant.Move(move)
		if err != nil || !changed {
			return &w.tenant, err
		}
		changes := lifecycle.Changed(nil, "status", string(before), string(w.tenant.Status))
		w.operate(lifecycle.Event{
			Type: event, SubjectID: string(id), Summary: fmt.Sprintf("Tenant %q %s", w.tenant.Name, lifecycle.PastOf(move)), Changes: changes,
		})
		return w.saveTenant(ctx, event, lifecycle.PastOf(move), changes)
	})
}

// operate makes the rest of the transaction the server's own act in a tenant that is not the
// caller's: its log tells nothing of people outside it (P6). Who it was stands in the log of the
// caller's tenant, by this event.
func (w *work) operate(e lifecycle.Event) {
	if w.tenant.ID == w.call.By.TenantID {
		return
	}
	here := *w
	here.tenant.ID = w.call.By.TenantID
	here.record(e)
	w.call.By, w.call.IPAddress, w.call.Comment = access.System(w.tenant.ID, "operator"), "", ""
}

// lockTenant locks the tenant of the transaction and reads it anew.
func (w *work) lockTenant(ctx context.Context, expected *int) error {
	tenant, err := lock[lifecycle.Tenant](ctx, w, w.tenant.ID, "tenant", inputID...)
	if err != nil {
		return err
	}
	w.tenant = tenant
	return fresh(expected, tenant.Version, tenant.ID)
}

// saveTenant writes the locked and changed tenant, and records what happened to it.
func (w *work) saveTenant(ctx context.Context, event lifecycle.EventType, what string, changes []lifecycle.Change) (*lifecycle.Tenant, error) {
	if err := w.update(ctx, &w.tenant, &w.tenant.Version, &w.tenant.UpdatedAt); err != nil {
		return nil, err
	}
	w.happened(event, string(w.tenant.ID), fmt.Sprintf("Tenant %q %s", w.tenant.Name, what), changes)
	return &w.tenant, nil
}
