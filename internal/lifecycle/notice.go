package lifecycle

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// NoticeLadder says how long before a rotation or an expiration people are told of it.
type NoticeLadder struct {
	ExpirationNoticeLeadTimes      []Duration `bun:"type:jsonb"` // longest first; before rotations too
	IsDailyExpirationNoticeEnabled bool       // on each of the last five days before an expiration, too
}

// maxLeadTimes bounds a ladder: more are a nuisance.
const maxLeadTimes = 10

// DefaultNoticeLadder is what a new tenant begins with.
func DefaultNoticeLadder() NoticeLadder {
	return NoticeLadder{ExpirationNoticeLeadTimes: []Duration{Days(30), Days(7), Days(1)}}
}

// LongestFirst returns the lead times in the order of a ladder.
func LongestFirst(leads []Duration) []Duration {
	sorted := append([]Duration{}, leads...) // never null, which a list of the graph cannot be
	slices.SortStableFunc(sorted, func(a, b Duration) int { return cmp.Compare(b.AtLeast(), a.AtLeast()) })
	return sorted
}

// CheckLeadTimes refuses lead times that are zero or negative, stand twice, or are too many.
func CheckLeadTimes(leads []Duration, path ...string) error {
	if len(leads) > maxLeadTimes {
		return &Refusal{Code: CodeTooLong, Message: fmt.Sprintf("at most %d lead times are allowed", maxLeadTimes), Path: path}
	}
	for i, lead := range leads {
		at := append(slices.Clone(path), strconv.Itoa(i))
		if lead.IsZero() || lead.IsNegative() {
			return Invalid("must be longer than zero", at...)
		}
		if slices.Contains(leads[:i], lead) {
			return Invalid("stands in the list already", at...)
		}
	}
	return nil
}

// LeadTimesText shows the lead times in a recorded change.
func (l NoticeLadder) LeadTimesText() string {
	texts := make([]string, len(l.ExpirationNoticeLeadTimes))
	for i, lead := range l.ExpirationNoticeLeadTimes {
		texts[i] = lead.String()
	}
	return strings.Join(texts, " ")
}

// notice is one step of a ladder: what is told, when, and how long before.
type notice struct {
	at   time.Time
	lead Duration
}

// coming is what will end the latest key: its rotation if there is one, because that takes precedence (S0-66), else its
// expiration. Null: nothing will.
func (s KeySet) coming() (at *time.Time, event EventType, property string) {
	if s.RotatesAt != nil {
		return s.RotatesAt, EventKeySetRotationComing, "rotatesAt"
	}
	return s.ExpiresAt, EventKeySetExpiring, "expiresAt"
}

// notices are the steps of the ladder towards what is coming, by time.
func (s KeySet) notices(m Moment) []notice {
	at, event, _ := s.coming()
	if at == nil {
		return nil
	}
	leads := slices.Clone(m.Ladder.ExpirationNoticeLeadTimes)
	if m.Ladder.IsDailyExpirationNoticeEnabled && event == EventKeySetExpiring {
		for days := 5; days > 0; days-- {
			leads = append(leads, Days(days))
		}
	}
	steps := make([]notice, len(leads))
	for i, lead := range leads {
		steps[i] = notice{at: lead.Before(*at, m.Zone), lead: lead}
	}
	slices.SortStableFunc(steps, func(a, b notice) int { return a.at.Compare(b.at) })
	return steps
}

// nextNotice is when something is to be told next: lead times that lie in the past are left out.
func (s KeySet) nextNotice(m Moment) *time.Time {
	for _, step := range s.notices(m) {
		if step.at.After(m.Now) {
			return &step.at
		}
	}
	return nil
}

// IsNoticeDue reports whether it is time to look what is to be told.
func (s KeySet) IsNoticeDue(m Moment) bool { return s.isLive() && reached(s.NoticeAt, m.Now) }

// Announce tells of the rotation or the expiration that is coming, once for each lead time, and plans the next notice. Of
// several that were missed only the last is told; one that lies before the key is told to nobody. Null: there is nothing
// to tell, but the plan may have changed.
func (s KeySetState) Announce(m Moment) (KeySet, *Event) {
	set := s.KeySet
	if !set.IsNoticeDue(m) {
		return set, nil
	}
	set.NoticeAt = set.nextNotice(m)
	at, event, property := set.coming()
	if at == nil || !m.Now.Before(*at) {
		return set, nil
	}
	var due *notice
	for _, step := range set.notices(m) {
		if step.at.After(s.LatestKey().CreatedAt) && !step.at.Before(*s.KeySet.NoticeAt) && !step.at.After(m.Now) {
			due = &step
		}
	}
	if due == nil {
		return set, nil
	}
	e := set.event(event)
	e.Changes = Changed(Changed(nil, "leadTime", "", due.lead.String()), property, "", InstantText(at))
	return set, &e
}
