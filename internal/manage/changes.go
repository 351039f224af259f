package manage

import (
	"context"
	"fmt"

	"github.com/keywright/keywright/internal/lifecycle"
)

// changes collects what becomes of many locked key sets, to write it in few statements.
type changes struct {
	*work
	sets              []lifecycle.KeySet
	changedKeys       []lifecycle.Key
	newKeys           []lifecycle.Key
	changedMilestones []lifecycle.Milestone
	newMilestones     []lifecycle.Milestone
}

// collect notes what becomes of one key set by transitions, in their order, none of which is empty, and records their
// events.
func (c *changes) collect(before lifecycle.KeySetState, after lifecycle.KeySet, transitions ...lifecycle.Transition) {
	for _, t := range transitions {
		c.collectParts(before, t)
	}
	after.Version, after.UpdatedAt = before.KeySet.Version+1, c.moment.Now
	c.sets = append(c.sets, after)
}

// collectParts notes the keys and milestones of a transition. The first event is the cause of what happened.
func (c *changes) collectParts(before lifecycle.KeySetState, t lifecycle.Transition) {
	cause := c.record(t.Events[0])
	for _, e := range t.Events[1:] {
		c.record(e)
	}
	for _, k := range t.Keys {
		if before.HasKey(k.ID) {
			c.changedKeys = append(c.changedKeys, k)
		} else {
			c.newKeys = append(c.newKeys, k)
		}
	}
	for _, m := range t.Milestones {
		if m.ActualAt != nil {
			m.EventID = &cause
		}
		if before.HasPlanned(m.ID) {
			c.changedMilestones = append(c.changedMilestones, m)
		} else {
			c.newMilestones = append(c.newMilestones, m)
		}
	}
}

// write writes what was collected, replaced keys before those that replace them, and forgets it.
func (c *changes) write(ctx context.Context) error {
	for _, step := range []struct {
		what  string
		count int
		do    func() error
	}{
		{"key sets", len(c.sets), func() error { return c.UpdateAll(ctx, &c.sets) }},
		{"keys", len(c.changedKeys), func() error { return c.UpdateAll(ctx, &c.changedKeys) }},
		{"new keys", len(c.newKeys), func() error { return c.Insert(ctx, &c.newKeys) }},
		{"milestones", len(c.changedMilestones), func() error { return c.UpdateAll(ctx, &c.changedMilestones) }},
		{"new milestones", len(c.newMilestones), func() error { return c.Insert(ctx, &c.newMilestones) }},
	} {
		if step.count == 0 {
			continue
		}
		if err := step.do(); err != nil {
			return fmt.Errorf("write %s: %w", step.what, err)
		}
	}
	*c = changes{work: c.work}
	return nil
}
