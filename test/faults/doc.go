// Package faults runs several nodes of the real program on a real PostgreSQL and a real Redis, breaks what they
// stand on while keys are created, rotated, suspended, revoked and asked for, and judges afterwards what was answered.
//
//	changers ──mutations──▶ nodes ◀──questions── askers        each writes down what it sent and what it got, and when,
//	                       │     │                             by one clock
//	                     links, which hold, delay, cut
//	                       │     │                             history ──▶ judge ──▶ one row of a table for each fault
//	                  PostgreSQL Redis
//
// Every node has a machine of its own as far as its clock is concerned, which package machine lets a test set.
//
// The promise is R-10: an answer to a question that was sent more than a second after a change was acknowledged knows
// of it. Staleness counts from the acknowledgement of a refusing change to the moment a question was sent that was
// still answered with yes.
//
// FAULTS=full, which `make faults` sets, injects every fault twenty times at random moments and writes the table into
// docs/faults.md; FAULTS=quick two times, and writes nothing. Without it a few of them are injected once. Each fault is a
// subtest, so -run chooses, and then nothing is written either.
package faults
