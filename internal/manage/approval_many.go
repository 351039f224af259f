package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
)

// MaxDecisions bounds the requests that are decided on in one call, which is one transaction.
const MaxDecisions = 100

// Decided is what became of one of many requests.
type Decided struct {
	Request *lifecycle.ApprovalRequest // as it is now; null: it was refused
	Refusal *lifecycle.Refusal         // why it stays as it was; null: it was decided on
}

// ApproveRequests approves many requests, each as ApproveRequest does, and tells what became of each, in the order of the
// ids. One that is refused stops no other. The people around them get one mail of all.
func (s *Service) ApproveRequests(ctx context.Context, call Call, ids []lifecycle.ApprovalRequestID) ([]Decided, error) {
	return s.decideAll(ctx, call, ids, (*work).approve)
}

// RejectRequests rejects many requests, each as RejectRequest does.
func (s *Service) RejectRequests(ctx context.Context, call Call, ids []lifecycle.ApprovalRequestID) ([]Decided, error) {
	return s.decideAll(ctx, call, ids, (*work).reject)
}

func (s *Service) decideAll(
	ctx context.Context, call Call, ids []lifecycle.ApprovalRequestID,
	decide func(w *work, ctx context.Context, id lifecycle.ApprovalRequestID, expectedVersion *int) (*lifecycle.ApprovalRequest, error),
) ([]Decided, error) {
	path := []string{"input", "ids"}
	if len(ids) > MaxDecisions {
		return nil, &lifecycle.Refusal{Code: lifecycle.CodeTooLong, Message: fmt.Sprintf("at most %d requests can be decided on in one call", MaxDecisions), Path: path}
	}
	order := make([]int, len(ids)) // in which others lock them, too
	for i := range ids {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(string(ids[a]), string(ids[b])) })
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) ([]Decided, error) {
		all := make([]Decided, len(ids))
		for _, i := range order {
			request, err := decide(w, ctx, ids[i], nil)
			refused, isRefused := errors.AsType[*lifecycle.Refusal](err)
			if _, isHalfDone := errors.AsType[*halfDoneError](err); err != nil && (!isRefused || isHalfDone) {
				return nil, err
			}
			if isRefused {
				all[i].Refusal = refused.At(at(path, strconv.Itoa(i))...)
			} else {
				all[i].Request = request
			}
		}
		return all, nil
	})
}

// halfDoneError says that something was written before it turned out to be impossible: the transaction cannot go on.
type halfDoneError struct{ cause error }

// Error implements error.
func (e *halfDoneError) Error() string { return e.cause.Error() }

// Unwrap gives the cause.
func (e *halfDoneError) Unwrap() error { return e.cause }
