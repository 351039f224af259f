// Package lifecycle is the core of Keywright: what key sets, keys, applications, APIs and
// policies are, which moves are legal, what a move records, and whether a presented key may
// pass. It does no I/O and imports the standard library only; time, randomness and ids come
// in from outside.
//
// A key set is the stable identity; a key is one generation of its secret. The newest key is
// LATEST and its status is the key set's:
//
//	            activate             suspend
//	PENDING ───────────────▶ ACTIVE ─────────▶ SUSPENDED
//	   │                      │ │ ▲  reactivate   │ │
//	   │ reject       retire  │ │ └───────────────┘ │
//	   │               ┌──────┘ │ revoke, expire    │ revoke, expire
//	   ▼               ▼        ▼                   ▼
//	REVOKED ◀────── RETIRING ──────────▶ REVOKED or EXPIRED
//
// REVOKED and EXPIRED are absorbing. The tables of moves stand in moves.go and nothing
// else assigns a status.
package lifecycle
