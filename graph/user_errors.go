package graph

import (
	"context"
	"errors"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
)

// userErrors shows what a use case ended with: a refusal as the payload's typed user errors, success as none. Any other
// error is not the caller's to correct and comes back as it is.
func (r *Resolver) userErrors(ctx context.Context, err error) ([]object.UserError, error) {
	if err == nil {
		return []object.UserError{}, nil
	}
	var refused *lifecycle.Refusal
	if !errors.As(err, &refused) {
		return []object.UserError{}, err
	}
	shown, err := scopeFrom(ctx).userError(ctx, refused)
	if err != nil {
		return []object.UserError{}, err
	}
	return []object.UserError{shown}, nil
}

// userError gives a refusal the type that its code has in the schema. Objects that it names are shown to callers who may
// read them.
func (s *scope) userError(ctx context.Context, f *lifecycle.Refusal) (object.UserError, error) {
	var err error
	switch f.Code {
	case lifecycle.CodeAlreadyExists:
		shown := gen.AlreadyExistsError{Code: f.Code, Message: f.Message, Path: f.Path}
		shown.Existing, err = s.node(ctx, f.ObjectID)
		return shown, err
	case lifecycle.CodeBlockedByDependency:
		shown := gen.DependencyError{Code: f.Code, Message: f.Message, Path: f.Path}
		shown.BlockedBy, err = s.visible(ctx, f.BlockedBy)
		return shown, err
	case lifecycle.CodeIdempotencyKeyReused:
		return gen.IdempotencyKeyReusedError{Code: f.Code, Message: f.Message, Path: f.Path}, nil
	case lifecycle.CodeInvalidStatusTransition:
		return gen.InvalidStatusTransitionError{
			Code: f.Code, Message: f.Message, Path: f.Path, CurrentStatus: f.CurrentStatus, AllowedActions: f.AllowedActions,
		}, nil
	case lifecycle.CodeNotFound:
		return gen.NotFoundError{Code: f.Code, Message: f.Message, Path: f.Path}, nil
	case lifecycle.CodePendingApproval:
		shown := gen.PendingApprovalError{Code: f.Code, Message: f.Message, Path: f.Path}
		request, err := s.node(ctx, f.ObjectID)
		shown.ApprovalRequest, _ = request.(*lifecycle.ApprovalRequest)
		return shown, err
	case lifecycle.CodePermissionDenied:
		return gen.PermissionDeniedError{Code: f.Code, Message: f.Message, Path: f.Path, Permission: f.Permission}, nil
	case lifecycle.CodePolicyViolation:
		shown := gen.PolicyViolationError{Code: f.Code, Message: f.Message, Path: f.Path}
		policy, err := s.node(ctx, string(f.PolicyID))
		shown.Policy, _ = policy.(*lifecycle.Policy)
		return shown, err
	case lifecycle.CodeQuotaExceeded:
		return gen.QuotaExceededError{Code: f.Code, Message: f.Message, Path: f.Path, Limit: f.Limit, Current: f.Current}, nil
	case lifecycle.CodeStaleVersion:
		shown := gen.StaleVersionError{Code: f.Code, Message: f.Message, Path: f.Path, CurrentVersion: f.CurrentVersion}
		shown.Current, err = s.node(ctx, f.ObjectID)
		return shown, err
	case lifecycle.CodeInvalid, lifecycle.CodeRequired, lifecycle.CodeTooLong:
	}
	return gen.ValidationError{Code: f.Code, Message: f.Message, Path: f.Path}, nil
}

// visible loads objects by their ids, without those that the caller may not read.
func (s *scope) visible(ctx context.Context, ids []string) ([]object.Node, error) {
	for _, id := range ids {
		s.announceNode(id)
	}
	nodes := []object.Node{}
	for _, id := range ids {
		node, err := s.node(ctx, id)
		if err != nil {
			return nodes, err
		}
		if node != nil {
			nodes = append(nodes, node)
		}
	}
	return nodes, nil
}
