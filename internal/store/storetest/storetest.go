// Package storetest holds every database to the contract of [manage.Store]. A bug found in one becomes a case
// for all.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// Database is a store on an empty database, and a way around the store to it.
type Database struct {
	manage.Store
	SQL       *sql.DB
	OneWriter bool   // whether transactions exclude each other
	Blob      string // the type of bytes
}

// Run runs the suite. open gives an empty database that the test and nobody else uses.
func Run(t *testing.T, open func(t testing.TB) Database) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, db Database){
		"EveryValueComesBackAsItWasWritten":                testRoundTrips,
		"NullAndEmptyValuesComeBackAsTheyWereWritten":      testSparseRoundTrips,
		"P6_RowsOfAnotherTenantDoNotExist":                 testForeignTenant,
		"AnUpdateOfAnOldVersionIsRefused":                  testVersionGuard,
		"ATakenValueIsReportedByTheNameOfItsIndex":         testConflicts,
		"UnknownWordsCannotBeStored":                       testUnknownWords,
		"R2_OneKeyIsLatestHoweverManyWritersRace":          testOneLatestKey,
		"R6_OneKeySetIsDefaultHoweverManyWritersRace":      testOneDefault,
		"LockedRowsWaitAndShowWhatWasCommitted":            testLocks,
		"LockedKeySetsComeWithWhatAMoveTouches":            testLockedKeySets,
		"DeletingTakesAlongWhatMakesNoSenseWithout":        testDelete,
		"WhatIsReferredToIsNotDeleted":                     testDependents,
		"R17_PositionsHaveNoGapsInCommitOrder":             testLogOrder,
		"R8_ARollbackLeavesNoTraceAndTakesNoNumber":        testRollback,
		"ADeadlockStartsOver":                              testDeadlock,
		"EventsComeBackAsTheyWereRecorded":                 testEvents,
		"R70_AnUnalteredLogIsVerified":                     testVerify,
		"R70_AnyChangeOfTheLogIsFound":                     testTampers,
		"R70_AShortenedLogIsFoundWhateverItsEndSays":       testTruncation,
		"RelationsOfManyObjects":                           testRelations,
		"ReusableKeySetsInTheirOrder":                      testReusable,
		"SignInFindsKeyUserTenantAndPermissions":           testSignIn,
		"HoldersOfAPermission":                             testHolders,
		"KeysTellTheirDigestAndTheirTenant":                testDigestsAndTenantsOfKeys,
		"FactsAreAsNewAsTheirPosition":                     testFacts,
		"FactsOfGatewaysAreAsNewAsTheirPosition":           testGatewayFacts,
		"DigestsOfAllKeys":                                 testDigests,
		"DigestsBelowEvents":                               testDigestsBelow,
		"T6_RecordUseOnlyRaises":                           testRecordUse,
		"T10_UsesAreAddedUpHoweverManyNodesWrite":          testUsage,
		"T10_ABatchOfUsesCountsOnceHoweverOftenItIsSent":   testUseBatches,
		"R16_AChangePastTheServerIsNoted":                  testOutside,
		"R16_ManyChangesPastTheServerAreNotedAsOne":        testOutsideOfMany,
		"R16_EachChangePastTheServerIsTakenOnce":           testOutsideRace,
		"R16_AChangeIsNotLostBehindAnEarlierOne":           testOutsideOverlap,
		"R16_OwnChangesAreNotNoted":                        testOwnChanges,
		"UsageIsKeptForItsTime":                            testCleanUsage,
		"WhatIsDueIsFoundInItsOrder":                       testDue,
		"R21_WhatIsDueIsHeldByOneAtATime":                  testDueRace,
		"WhatIsPostponedIsLeftOutUntilItIsTriedAgain":      testPostponed,
		"UpdateAllWritesAllOrNothing":                      testUpdateAll,
		"NoticesArePlannedAndPlannedAnew":                  testNotices,
		"RemindersAreDueInTime":                            testReminders,
		"D20_UnclaimedSecretsAreDestroyedInTime":           testUnclaimed,
		"OneRequestForAnActionIsPending":                   testOnePendingApproval,
		"ApprovalRequestsByWhomTheyConcern":                testApprovalScopes,
		"ApprovalRequestsByTheirStatusAtTheInstant":        testApprovalStatus,
		"ApprovalRequestsOfTheirSubjects":                  testApprovalSubjects,
		"SealedValuesGoWithTheirKey":                       testSealed,
		"AnIdempotentOperationRunsOnceHoweverManyAskForIt": testIdempotencyRace,
		"IdempotentResultsAreKeptForTheirTime":             testIdempotencyTimes,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// start is when everything in the suite happens. It has microseconds, and none to spare.
var start = time.Date(2026, 11, 21, 18, 45, 0, 123456000, time.UTC)

func newIDs() lifecycle.IDs {
	return lifecycle.IDs{Now: func() time.Time { return start }, Rand: rand.Reader}
}

// id returns a new id of the type that is asked for.
func id[S ~string](kind lifecycle.Kind) S { return S(newIDs().New(kind)) }

func ptr[T any](v T) *T { return &v }

// write runs fn in a transaction that must succeed.
func write(t testing.TB, db manage.Store, fn func(ctx context.Context, tx manage.Tx) error) int64 {
	t.Helper()
	position, err := db.Write(t.Context(), fn)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	return position
}

// insert writes rows in a transaction of their own.
func insert(t testing.TB, db manage.Store, rows ...any) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		for _, row := range rows {
			if err := tx.Insert(ctx, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// within runs fn in a transaction that is rolled back.
func within(t testing.TB, db manage.Store, fn func(ctx context.Context, tx manage.Tx)) {
	t.Helper()
	done := errors.New("done")
	_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
		fn(ctx, tx)
		return done
	})
	if err != done { //nolint:errorlint // it must be the very error
		t.Fatalf("an error of the function came back as %v", err)
	}
}

func no(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// count counts rows behind the store's back.
func (db Database) count(t testing.TB, table string) (n int) {
	t.Helper()
	no(t, db.SQL.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}
