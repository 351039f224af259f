package lifecycle_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/internal/lifecycle"
)

// arrows writes a table of moves the way the pictures have it.
func arrows[S ~string](table []lifecycle.LegalMove[S]) []string {
	var lines []string
	for _, m := range table {
		to := string(m.To)
		if to == "" {
			to = "[*]"
		}
		lines = append(lines, string(m.From)+" --> "+to+": "+string(m.Move))
	}
	return lines
}

var (
	beginning = regexp.MustCompile(`^\[\*\] --> ([A-Z]+)$`)
	arrow     = regexp.MustCompile(`^[A-Z]+ --> ([A-Z]+|\[\*\]): [A-Z]+$`)
)

// pictures reads the state diagrams of the page: heading → arrows that are moves.
func pictures(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/lifecycle.md")
	if err != nil {
		t.Fatal(err)
	}
	moves, heading, inside := map[string][]string{}, "", false
	for _, line := range strings.Split(string(page), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "## "):
			heading = strings.TrimPrefix(line, "## ")
		case line == "```mermaid":
			inside = true
		case line == "```":
			inside = false
		case !inside || line == "stateDiagram-v2" || beginning.MatchString(line):
		case arrow.MatchString(line):
			moves[heading] = append(moves[heading], line)
		default:
			t.Errorf("%s: %q is no arrow", heading, line)
		}
	}
	return moves
}

func TestMoves_ThePicturesShowTheTables(t *testing.T) {
	want := map[string][]string{
		"Key sets": arrows(lifecycle.KeySetMoves()), "Keys": arrows(lifecycle.KeyMoves()),
		"Applications": arrows(lifecycle.ApplicationMoves()), "API subscriptions": arrows(lifecycle.APISubscriptionMoves()), "Approval requests": arrows(lifecycle.ApprovalMoves()),
	}
	if diff := cmp.Diff(want, pictures(t)); diff != "" {
		t.Errorf("internal/lifecycle (-) and docs/lifecycle.md (+) differ:\n%s", diff)
	}
}

func TestR3_NothingLeadsOutOfTheFinalStatuses(t *testing.T) {
	for _, m := range lifecycle.KeySetMoves() {
		if m.From == lifecycle.KeySetRevoked && m.Move != lifecycle.MoveDelete || m.From == lifecycle.KeySetExpired && m.Move != lifecycle.MoveRenew { // D14
			t.Errorf("key set: %+v", m)
		}
	}
	for _, m := range lifecycle.KeyMoves() {
		if m.From == lifecycle.KeyRevoked || m.From == lifecycle.KeyExpired {
			t.Errorf("key: %+v", m)
		}
	}
	for _, m := range lifecycle.APISubscriptionMoves() {
		if m.From == lifecycle.SubscriptionCanceled || m.From == lifecycle.SubscriptionRejected {
			t.Errorf("subscription: %+v", m)
		}
	}
}

func TestMoves_OneLineForEachStatusAndMove(t *testing.T) {
	for name, table := range map[string][]string{
		"key set": arrows(lifecycle.KeySetMoves()), "key": arrows(lifecycle.KeyMoves()), "application": arrows(lifecycle.ApplicationMoves()),
		"subscription": arrows(lifecycle.APISubscriptionMoves()), "tenant": arrows(lifecycle.TenantMoves()), "user": arrows(lifecycle.UserMoves()), "approval request": arrows(lifecycle.ApprovalMoves()), "API": arrows(lifecycle.APIMoves()),
	} {
		seen := map[string]bool{}
		for _, line := range table {
			from, _, _ := strings.Cut(line, " ")
			at := from + line[strings.LastIndex(line, " "):]
			if seen[at] {
				t.Errorf("%s: two lines for %s", name, at)
			}
			seen[at] = true
		}
	}
}

func allMoves() []lifecycle.Move {
	return []lifecycle.Move{
		lifecycle.MoveActivate, lifecycle.MoveSuspend, lifecycle.MoveReactivate, lifecycle.MoveRegenerate, lifecycle.MoveRenew, lifecycle.MoveRotate, lifecycle.MoveRetire, lifecycle.MoveRevoke, lifecycle.MoveReject,
		lifecycle.MoveExpire, lifecycle.MoveCancel, lifecycle.MoveDelete, lifecycle.MoveApprove, lifecycle.MoveWithdraw, lifecycle.MoveFail, lifecycle.MovePublish, lifecycle.MoveDeprecate, lifecycle.MoveDeactivate,
	}
}

// checkMoves takes every move from every status and holds the outcome against the table.
func checkMoves[S ~string](t *testing.T, noun string, statuses []S, table []lifecycle.LegalMove[S], events map[lifecycle.Move]lifecycle.EventType,
	take func(S, lifecycle.Move) (S, lifecycle.EventType, bool, error),
) {
	t.Helper()
	for _, from := range statuses {
		for _, move := range allMoves() {
			at := slices.IndexFunc(table, func(m lifecycle.LegalMove[S]) bool { return m.From == from && m.Move == move })
			inEffect := at < 0 && slices.ContainsFunc(table, func(m lifecycle.LegalMove[S]) bool { return m.To == from && m.Move == move })
			to, event, changed, err := take(from, move)
			switch {
			case at >= 0:
				if err != nil || !changed || to != table[at].To || event != events[move] {
					t.Errorf("%s %s %s: %s, event %q, changed %v, %v", noun, from, move, to, event, changed, err)
				}
			case inEffect:
				if err != nil || changed || to != from {
					t.Errorf("%s %s %s is in effect: %s, changed %v, %v", noun, from, move, to, changed, err)
				}
			default:
				r := wantRefusal(t, err, lifecycle.CodeInvalidStatusTransition, string(from), inputID)
				want := noun + " that is " + string(from) + " cannot be " + strings.TrimPrefix(lifecycle.PastOf(move), "was ")
				if changed || to != from || r.Message != want || r.AllowedActions == nil {
					t.Errorf("%s %s %s: %s, changed %v, %q", noun, from, move, to, changed, r.Message)
				}
			}
		}
	}
}

func TestS0_44_S0_50_D21_MovesOfApplicationsAndSubscriptions(t *testing.T) {
	checkMoves(t, "an application", lifecycle.AllApplicationStatus(), lifecycle.ApplicationMoves(), map[lifecycle.Move]lifecycle.EventType{
		lifecycle.MoveSuspend: lifecycle.EventApplicationSuspended, lifecycle.MoveReactivate: lifecycle.EventApplicationReactivated,
	}, func(s lifecycle.ApplicationStatus, m lifecycle.Move) (lifecycle.ApplicationStatus, lifecycle.EventType, bool, error) {
		a := lifecycle.Application{Status: s}
		event, changed, err := a.Move(m)
		return a.Status, event, changed, err
	})
	checkMoves(t, "a subscription", lifecycle.AllAPISubscriptionStatus(), lifecycle.APISubscriptionMoves(), map[lifecycle.Move]lifecycle.EventType{
		lifecycle.MoveSuspend: lifecycle.EventAPISubscriptionSuspended, lifecycle.MoveReactivate: lifecycle.EventAPISubscriptionReactivated,
		lifecycle.MoveCancel: lifecycle.EventAPISubscriptionCanceled, lifecycle.MoveActivate: lifecycle.EventAPISubscriptionActivated,
		lifecycle.MoveReject: lifecycle.EventAPISubscriptionRejected,
	}, func(s lifecycle.APISubscriptionStatus, m lifecycle.Move) (lifecycle.APISubscriptionStatus, lifecycle.EventType, bool, error) {
		sub := lifecycle.APISubscription{Status: s}
		event, changed, err := sub.Move(m)
		return sub.Status, event, changed, err
	})
}

func TestMovesOfTenantsUsersAndAPIs(t *testing.T) {
	checkMoves(t, "a tenant", lifecycle.AllTenantStatus(), lifecycle.TenantMoves(), map[lifecycle.Move]lifecycle.EventType{
		lifecycle.MoveSuspend: lifecycle.EventTenantSuspended, lifecycle.MoveReactivate: lifecycle.EventTenantReactivated,
	}, func(s lifecycle.TenantStatus, m lifecycle.Move) (lifecycle.TenantStatus, lifecycle.EventType, bool, error) {
		o := lifecycle.Tenant{Status: s}
		event, changed, err := o.Move(m)
		return o.Status, event, changed, err
	})
	checkMoves(t, "a user", lifecycle.AllUserStatus(), lifecycle.UserMoves(), map[lifecycle.Move]lifecycle.EventType{
		lifecycle.MoveDeactivate: lifecycle.EventUserDeactivated, lifecycle.MoveReactivate: lifecycle.EventUserReactivated,
	}, func(s lifecycle.UserStatus, m lifecycle.Move) (lifecycle.UserStatus, lifecycle.EventType, bool, error) {
		o := lifecycle.User{Status: s}
		event, changed, err := o.Move(m)
		return o.Status, event, changed, err
	})
	checkMoves(t, "an API", lifecycle.AllAPIStatus(), lifecycle.APIMoves(), map[lifecycle.Move]lifecycle.EventType{
		lifecycle.MovePublish: lifecycle.EventAPIPublished, lifecycle.MoveDeprecate: lifecycle.EventAPIDeprecated, lifecycle.MoveRetire: lifecycle.EventAPIRetired,
	}, func(s lifecycle.APIStatus, m lifecycle.Move) (lifecycle.APIStatus, lifecycle.EventType, bool, error) {
		o := lifecycle.API{Status: s}
		event, changed, err := o.Move(m)
		return o.Status, event, changed, err
	})
}

func TestMoves_EveryOneHasItsWord(t *testing.T) {
	if declared := constantsByType(t)["Move"]; !sameWords(declared, texts(allMoves())) {
		t.Fatalf("declared %v", declared)
	}
	said := map[string]bool{}
	for _, m := range allMoves() {
		said[lifecycle.PastOf(m)] = true
	}
	if len(said) != len(allMoves()) || said["was "] {
		t.Errorf("words are %v", slices.Sorted(maps.Keys(said)))
	}
}
