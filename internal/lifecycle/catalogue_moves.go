package lifecycle

// TenantMoves is the table of all legal moves of a tenant.
func TenantMoves() []LegalMove[TenantStatus] {
	return []LegalMove[TenantStatus]{
		{TenantActive, MoveSuspend, TenantSuspended},
		{TenantSuspended, MoveReactivate, TenantActive},
	}
}

// UserMoves is the table of all legal moves of a user. Nobody is ever reactivated out of an
// invitation that was not accepted.
func UserMoves() []LegalMove[UserStatus] {
	return []LegalMove[UserStatus]{
		{UserActive, MoveDeactivate, UserDeactivated},
		{UserInvited, MoveDeactivate, UserDeactivated},
		{UserDeactivated, MoveReactivate, UserActive},
	}
}

// APIMoves is the table of all legal moves of an API in the catalogue. RETIRED is final.
func APIMoves() []LegalMove[APIStatus] {
	return []LegalMove[APIStatus]{
		{APIDraft, MovePublish, APIPublished},
		{APIPublished, MoveDeprecate, APIDeprecated},
		{APIPublished, MoveRetire, APIRetired},
		{APIDeprecated, MovePublish, APIPublished},
		{APIDeprecated, MoveRetire, APIRetired},
	}
}

// Move takes a step of the tenant. It reports whether anything changed.
func (t *Tenant) Move(move Move) (event EventType, changed bool, err error) {
	// A tenant has no other moves.
	//
	//exhaustive:ignore
	events := map[Move]EventType{
		MoveSuspend: EventTenantSuspended, MoveReactivate: EventTenantReactivated,
	}
	changed, err = takeStep(TenantMoves(), &t.Status, move, "a tenant")
	return events[move], changed, err
}

// Move takes a step of the user. It reports whether anything changed.
func (u *User) Move(move Move) (event EventType, changed bool, err error) {
	// A user has no other moves.
	//
	//exhaustive:ignore
	events := map[Move]EventType{
		MoveDeactivate: EventUserDeactivated, MoveReactivate: EventUserReactivated,
	}
	changed, err = takeStep(UserMoves(), &u.Status, move, "a user")
	return events[move], changed, err
}

// Move takes a step of the API. It reports whether anything changed.
func (a *API) Move(move Move) (event EventType, changed bool, err error) {
	// An API has no other moves.
	//
	//exhaustive:ignore
	events := map[Move]EventType{
		MovePublish: EventAPIPublished, MoveDeprecate: EventAPIDeprecated, MoveRetire: EventAPIRetired,
	}
	changed, err = takeStep(APIMoves(), &a.Status, move, "an API")
	return events[move], changed, err
}
