package lifecycle

import "fmt"

// ApplicationMoves is the table of all legal moves of an application.
func ApplicationMoves() []LegalMove[ApplicationStatus] {
	return []LegalMove[ApplicationStatus]{
		{ApplicationActive, MoveSuspend, ApplicationSuspended},    // S0-44
		{ApplicationSuspended, MoveReactivate, ApplicationActive}, // S0-50
	}
}

// APISubscriptionMoves is the table of all legal moves of a subscription.
func APISubscriptionMoves() []LegalMove[APISubscriptionStatus] {
	return []LegalMove[APISubscriptionStatus]{
		{SubscriptionPending, MoveActivate, SubscriptionActive}, // D21
		{SubscriptionPending, MoveReject, SubscriptionRejected}, // D21
		{SubscriptionPending, MoveCancel, SubscriptionCanceled},
		{SubscriptionActive, MoveSuspend, SubscriptionSuspended},
		{SubscriptionActive, MoveCancel, SubscriptionCanceled},
		{SubscriptionSuspended, MoveReactivate, SubscriptionActive},
		{SubscriptionSuspended, MoveCancel, SubscriptionCanceled},
	}
}

// Move takes a step of the application. It reports whether anything changed.
func (a *Application) Move(move Move) (event EventType, changed bool, err error) {
	// An application has no other moves.
	//
	//exhaustive:ignore
	events := map[Move]EventType{
		MoveSuspend: EventApplicationSuspended, MoveReactivate: EventApplicationReactivated,
	}
	changed, err = takeStep(ApplicationMoves(), &a.Status, move, "an application")
	return events[move], changed, err
}

// Move takes a step of the subscription. It reports whether anything changed.
func (s *APISubscription) Move(move Move) (event EventType, changed bool, err error) {
	// A subscription has no other moves.
	//
	//exhaustive:ignore
	events := map[Move]EventType{
		MoveSuspend: EventAPISubscriptionSuspended, MoveReactivate: EventAPISubscriptionReactivated, MoveCancel: EventAPISubscriptionCanceled,
		MoveActivate: EventAPISubscriptionActivated, MoveReject: EventAPISubscriptionRejected,
	}
	changed, err = takeStep(APISubscriptionMoves(), &s.Status, move, "a subscription")
	return events[move], changed, err
}

// takeStep looks a move up in its table and takes it. A move that leads to where the object
// stands already is in effect: it changes nothing.
func takeStep[S ~string](table []LegalMove[S], status *S, move Move, noun string) (changed bool, err error) {
	if to, legal := step(table, *status, move); legal {
		*status = to
		return true, nil
	}
	for _, line := range table {
		if line.Move == move && line.To == *status {
			return false, nil
		}
	}
	return false, &Refusal{
		Code: CodeInvalidStatusTransition, Path: []string{"input", "id"}, CurrentStatus: string(*status), AllowedActions: []KeySetAction{},
		Message: fmt.Sprintf("%s that is %s cannot be %s", noun, *status, movePast[move]),
	}
}

// PastOf says in words what a move did.
func PastOf(move Move) string { return "was " + movePast[move] }
