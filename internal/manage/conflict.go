package manage

import (
	"errors"

	"github.com/keywright/keywright/internal/lifecycle"
)

// conflicts says, for each unique index that a caller can run into, which argument is at fault.
// What is not listed here can only be taken by a fault of ours, and stays an internal error.
var conflicts = map[string]struct {
	message string
	path    []string
}{
	"tenants_slug":           {"another tenant has this short name", []string{"input", "slug"}},
	"organizations_name":     {"another organization has this name", []string{"input", "name"}},
	"groups_name":            {"another group of the organization has this name", []string{"input", "name"}},
	"users_email":            {"another user has this email address", []string{"input", "email"}},
	"roles_name":             {"another role has this name", []string{"input", "name"}},
	"environments_name":      {"another environment has this name", []string{"input", "name"}},
	"environments_slug":      {"another environment has this short name", []string{"input", "slug"}},
	"gateways_name":          {"another gateway of the environment has this name", []string{"input", "name"}},
	"policy_templates_name":  {"another policy template has this name", []string{"input", "name"}},
	"apis_name":              {"another API has this name and release", []string{"input", "name"}},
	"applications_name":      {"another application of the organization has this name", []string{"input", "name"}},
	"key_sets_name":          {"another key set of the application has this name", []string{"input", "name"}},
	"key_sets_default":       {"the application has another default key set", []string{"input"}},
	"api_subscriptions_live": {"the application is subscribed to the API in this environment", []string{"input"}},
}

// refusalOf turns a taken unique value into a refusal that names the argument at fault, and a
// reference to what is gone into another; other errors stay as they are.
func refusalOf(err error) error {
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		var refused *lifecycle.Refusal
		if errors.Is(err, ErrNotFound) && !errors.As(err, &refused) {
			// It was there when it was looked up, and was deleted before this was written.
			return lifecycle.NotFound("object that the input refers to", "input")
		}
		return err
	}
	known, found := conflicts[conflict.Constraint]
	if !found {
		return err
	}
	return &lifecycle.Refusal{Code: lifecycle.CodeAlreadyExists, Message: known.message, Path: known.path}
}
