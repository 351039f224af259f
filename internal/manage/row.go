package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// maxReferences bounds a list of ids in one argument.
const maxReferences = 1000

// maxBlockers bounds how many objects a refused deletion names.
const maxBlockers = 10

// changeActive runs a use case in one transaction of the caller's tenant, unless that is
// suspended.
func changeActive[T any](ctx context.Context, s *Service, call Call, fn func(ctx context.Context, w *work) (T, error)) (T, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (T, error) {
		if err := w.active(); err != nil {
			var none T
			return none, err
		}
		return fn(ctx, w)
	})
}

// lockFresh locks an object named by the argument id and refuses a stale version.
func lockFresh[T any, ID ~string](ctx context.Context, w *work, id ID, expected *int, versionOf func(T) int, noun string) (T, error) {
	row, err := lock[T](ctx, w, id, noun, inputID...)
	if err != nil {
		return row, err
	}
	return row, fresh(expected, versionOf(row), id)
}

// lockAll locks objects that an argument lists, so that they stay while something begins to
// refer to them. An id that stands twice counts once. The path of an unknown one ends with its
// place in the list.
func lockAll[T any, ID ~string](ctx context.Context, w *work, ids []ID, idOf func(T) ID, noun string, path ...string) ([]T, error) {
	if len(ids) > maxReferences {
		return nil, &lifecycle.Refusal{Code: lifecycle.CodeTooLong, Message: fmt.Sprintf("at most %d are allowed", maxReferences), Path: path}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []T
	if err := w.Lock(ctx, w.tenant.ID, &rows, wellFormed(distinct(ids))); err != nil {
		return nil, fmt.Errorf("lock %s: %w", noun, err)
	}
	for i, id := range ids {
		if !slices.ContainsFunc(rows, func(row T) bool { return idOf(row) == id }) {
			return nil, lifecycle.NotFound(noun, at(path, strconv.Itoa(i))...)
		}
	}
	return rows, nil
}

// insert writes new rows.
func (w *work) insert(ctx context.Context, rows ...any) error {
	for _, row := range rows {
		if err := w.Insert(ctx, row); err != nil {
			return fmt.Errorf("insert %T: %w", row, err)
		}
	}
	return nil
}

// update writes a changed row under its next version, which fences concurrent writers.
func (w *work) update(ctx context.Context, row any, version *int, updatedAt *time.Time) error {
	*version, *updatedAt = *version+1, w.moment.Now
	if err := w.Update(ctx, row); err != nil {
		return fmt.Errorf("update %T: %w", row, err)
	}
	return nil
}

// deleteUnused deletes a locked row that nothing refers to. row is a nil pointer of its type.
func (w *work) deleteUnused(ctx context.Context, row any, id, noun string) error {
	blockers, err := w.DependentsOf(ctx, w.tenant.ID, id, maxBlockers)
	if err != nil {
		return fmt.Errorf("find what depends on %s: %w", id, err)
	}
	if len(blockers) > 0 {
		return lifecycle.Blocked(fmt.Sprintf("the %s is in use: change or delete first what refers to it", noun), blockers...)
	}
	err = w.Delete(ctx, w.tenant.ID, row, []string{id})
	if errors.Is(err, ErrReferred) { // something began to refer to it just now
		return lifecycle.Blocked(fmt.Sprintf("the %s is in use: change or delete first what refers to it", noun))
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", id, err)
	}
	return nil
}

// wellFormed leaves out what cannot be an id of ours: no object has it, and a database may choke
// on its characters.
func wellFormed[ID ~string](ids []ID) []string {
	all := make([]string, 0, len(ids))
	for _, id := range ids {
		if _, err := lifecycle.KindOf(string(id)); err == nil {
			all = append(all, string(id))
		}
	}
	return all
}

func checkDescription(description *string) error {
	if description == nil {
		return nil
	}
	if err := lifecycle.CheckText(*description, lifecycle.MaxDescriptionLength, "input", "description"); err != nil {
		return err
	}
	return nil
}

// at is a path with more steps; the path itself stays as it is.
func at(path []string, steps ...string) []string { return slices.Concat(path, steps) }

// distinct leaves out what stands twice.
func distinct[ID ~string](ids []ID) []ID {
	sorted := append([]ID{}, ids...) // never null, which a list of the graph cannot be
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
