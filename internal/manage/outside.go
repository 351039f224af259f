package manage

import (
	"context"
	"fmt"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	// outsideBatch is how many outside changes become events in one transaction.
	outsideBatch = 500
	// outsideOneByOne is how many of a tenant, at most, get an event each.
	outsideOneByOne = 100
)

// RecordOutsideChanges makes events of changes that were made to the database past the server, so that whatever relies
// on the log learns of them. It returns the position of the last event, 0 if there was nothing to record. Any
// number of nodes may do it at once; each change gets one event, or one with many others of its tenant.
func (s *Service) RecordOutsideChanges(ctx context.Context) (position int64, err error) {
	position, err = s.store.Write(ctx, func(ctx context.Context, tx Tx) error {
		changes, err := tx.TakeOutsideChanges(ctx, outsideBatch)
		if err != nil {
			return err
		}
		perTenant := map[lifecycle.TenantID]int{}
		for _, c := range changes {
			perTenant[c.TenantID]++
		}
		isTold := map[lifecycle.TenantID]bool{}
		for _, c := range changes {
			if perTenant[c.TenantID] > outsideOneByOne {
				if isTold[c.TenantID] {
					continue
				}
				isTold[c.TenantID] = true
				c = OutsideChange{TenantID: c.TenantID, SubjectID: string(c.TenantID)}
			}
			tx.Record(s.outsideEvent(c))
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("record changes made past the server: %w", err)
	}
	return position, nil
}

func (s *Service) outsideEvent(c OutsideChange) lifecycle.Event {
	e := lifecycle.Event{
		ID: lifecycle.EventID(s.ids.New(lifecycle.KindEvent)), TenantID: c.TenantID, Type: lifecycle.EventChangedOutside,
		OccurredAt: s.ids.Now(), SubjectID: c.SubjectID, Summary: "Many rows were changed past the server",
		Actor:         lifecycle.ActorRef{Kind: lifecycle.ActorSystem, ID: "database", Name: "Somebody at the database"}, // nobody knows who
		ApplicationID: c.ApplicationID, EnvironmentID: c.EnvironmentID, KeySetID: c.KeySetID,
	}
	if c.RowID != "" {
		e.Summary = fmt.Sprintf("%s in table %s past the server: row %s", c.Operation, c.TableName, c.RowID)
	}
	property := "status"
	if c.TableName == "environments" {
		property = "slug"
	}
	e.Changes = lifecycle.Changed(nil, property, text(c.Before), text(c.After))
	return e
}
