package manage

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
)

// CreateGroup is what CreateGroup is asked for.
type CreateGroup struct {
	OrganizationID lifecycle.OrganizationID
	Name           string // unique in the organization
	MemberIDs      []lifecycle.UserID
}

// CreateGroup adds a group of users to an organization.
func (s *Service) CreateGroup(ctx context.Context, call Call, in CreateGroup) (*lifecycle.Group, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Group, error) {
		if err := lifecycle.CheckName(in.Name, "input", "name"); err != nil {
			return nil, err
		}
		if _, err := lock[lifecycle.Organization](ctx, w, in.OrganizationID, "organization", "input", "organizationId"); err != nil {
			return nil, err
		}
		if _, err := lockAll(ctx, w, in.MemberIDs, userID, "user", "input", "memberIds"); err != nil {
			return nil, err
		}
		group := lifecycle.Group{
			ID: lifecycle.GroupID(w.moment.NewID(lifecycle.KindGroup)), TenantID: w.tenant.ID, OrganizationID: in.OrganizationID,
			Name: in.Name, Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
		}
		if err := w.insert(ctx, &group); err != nil {
			return nil, err
		}
		members := distinct(in.MemberIDs)
		if err := w.AddGroupMembers(ctx, w.tenant.ID, group.ID, members); err != nil {
			return nil, fmt.Errorf("add members: %w", err)
		}
		changes := lifecycle.Changed(nil, "name", "", group.Name)
		changes = lifecycle.Changed(changes, "organization", "", string(group.OrganizationID))
		changes = lifecycle.Changed(changes, "members", "", listText(members))
		w.happened(lifecycle.EventGroupCreated, string(group.ID), fmt.Sprintf("Group %q was created", group.Name), changes)
		return &group, nil
	})
}

// UpdateGroup is what UpdateGroup is asked for.
type UpdateGroup struct {
	ID              lifecycle.GroupID
	ExpectedVersion *int
	Name            Patch[string]
	AddMemberIDs    []lifecycle.UserID
	RemoveMemberIDs []lifecycle.UserID
}

// UpdateGroup changes the name and the members of a group.
func (s *Service) UpdateGroup(ctx context.Context, call Call, in UpdateGroup) (*lifecycle.Group, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Group, error) {
		group, err := w.lockGroup(ctx, in.ID, in.ExpectedVersion)
		if err != nil {
			return nil, err
		}
		joining, leaving, err := w.membersToChange(ctx, in)
		if err != nil {
			return nil, err
		}
		before := group.Name
		if in.Name.IsSet {
			group.Name = in.Name.Value
		}
		if err := lifecycle.CheckName(group.Name, "input", "name"); err != nil {
			return nil, err
		}
		changes := lifecycle.Changed(nil, "name", before, group.Name)
		changes = lifecycle.Changed(changes, "addedMembers", "", listText(joining))
		changes = lifecycle.Changed(changes, "removedMembers", listText(leaving), "")
		if len(changes) == 0 {
			return &group, nil
		}
		if err := w.update(ctx, &group, &group.Version, &group.UpdatedAt); err != nil {
			return nil, err
		}
		if err := w.AddGroupMembers(ctx, w.tenant.ID, group.ID, joining); err != nil {
			return nil, fmt.Errorf("add members: %w", err)
		}
		if err := w.RemoveGroupMembers(ctx, w.tenant.ID, group.ID, leaving); err != nil {
			return nil, fmt.Errorf("remove members: %w", err)
		}
		w.happened(lifecycle.EventGroupUpdated, string(group.ID), fmt.Sprintf("Group %q was changed", group.Name), changes)
		return &group, nil
	})
}

// membersToChange says who really joins and who really leaves a locked group. The lock keeps
// the committed members as they are.
func (w *work) membersToChange(ctx context.Context, in UpdateGroup) (joining, leaving []lifecycle.UserID, err error) {
	for i, id := range in.RemoveMemberIDs {
		if slices.Contains(in.AddMemberIDs, id) {
			return nil, nil, lifecycle.Invalid("the same user cannot be added and removed", "input", "removeMemberIds", strconv.Itoa(i))
		}
	}
	// Locked in one statement, two calls with the lists swapped cannot wait for each other.
	all := distinct(slices.Concat(in.AddMemberIDs, in.RemoveMemberIDs))
	if err := w.Lock(ctx, w.tenant.ID, &[]lifecycle.User{}, wellFormed(all)); err != nil {
		return nil, nil, fmt.Errorf("lock members: %w", err)
	}
	if _, err := lockAll(ctx, w, in.AddMemberIDs, userID, "user", "input", "addMemberIds"); err != nil {
		return nil, nil, err
	}
	if _, err := lockAll(ctx, w, in.RemoveMemberIDs, userID, "user", "input", "removeMemberIds"); err != nil {
		return nil, nil, err
	}
	groups, err := w.store.GroupsOfUsers(ctx, w.tenant.ID, all)
	if err != nil {
		return nil, nil, fmt.Errorf("find groups of users: %w", err)
	}
	isMember := func(id lifecycle.UserID) bool {
		return slices.ContainsFunc(groups[id], func(g lifecycle.Group) bool { return g.ID == in.ID })
	}
	joining = slices.DeleteFunc(distinct(in.AddMemberIDs), isMember)
	leaving = slices.DeleteFunc(distinct(in.RemoveMemberIDs), func(id lifecycle.UserID) bool { return !isMember(id) })
	return joining, leaving, nil
}

// DeleteGroup removes a group that nothing refers to, and with it who was a member.
func (s *Service) DeleteGroup(ctx context.Context, call Call, id lifecycle.GroupID, expectedVersion *int) error {
	_, err := changeActive(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
		group, err := w.lockGroup(ctx, id, expectedVersion)
		if err != nil {
			return struct{}{}, err
		}
		w.happened(lifecycle.EventGroupDeleted, string(id), fmt.Sprintf("Group %q was deleted", group.Name), nil)
		return struct{}{}, w.deleteUnused(ctx, (*lifecycle.Group)(nil), string(id), "group")
	})
	return err
}

func (w *work) lockGroup(ctx context.Context, id lifecycle.GroupID, expected *int) (lifecycle.Group, error) {
	return lockFresh(ctx, w, id, expected, func(g lifecycle.Group) int { return g.Version }, "group")
}

func userID(u lifecycle.User) lifecycle.UserID { return u.ID }

// listText shows a list in a recorded change.
func listText[T ~string](values []T) string {
	return strings.Join(texts(values), ", ")
}
