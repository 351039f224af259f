package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Names of queues. Each has workers of its own, so that what is slow holds up nothing else.
const (
	queueNotices     = "notices"     // finding out who has to be told of a change
	queueMail        = "mail"        // telling them
	queueRevocations = "revocations" // taking revoked keys from gateways; it has its workers before it has work
)

// Queue puts jobs into transactions. It holds no connection.
type Queue struct {
	client   *river.Client[*sql.Tx]
	migrator *rivermigrate.Migrator[*sql.Tx]
}

// NewQueue returns the queue of a kind of database.
func NewQueue(isSQLite bool, logger *slog.Logger) (*Queue, error) {
	driver, logger := driverOf(isSQLite, nil), quieter(logger)
	client, err := river.NewClient(driver, &river.Config{
		Logger: logger,
		// Nobody listens for a notification of the database, and sending one makes commits wait for each other.
		FetchCooldown: seldom, FetchPollInterval: seldom,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the queue of jobs: %w", err)
	}
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("prepare the tables of jobs: %w", err)
	}
	return &Queue{client: client, migrator: migrator}, nil
}

const seldom = 24 * time.Hour

func driverOf(isSQLite bool, db *sql.DB) riverdriver.Driver[*sql.Tx] {
	if isSQLite {
		return riversqlite.New(db)
	}
	return riverdatabasesql.New(db)
}

// Migrate takes one step towards the tables of jobs, and reports whether there was one to take. PostgreSQL uses a new value
// of a type only after the transaction that added it, so each step is one of its own.
func (q *Queue) Migrate(ctx context.Context, tx *sql.Tx) (stepped bool, err error) {
	//nolint:staticcheck // what is said against it is that several steps may not fit into one transaction
	done, err := q.migrator.MigrateTx(ctx, tx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{MaxSteps: 1})
	if err != nil {
		return false, fmt.Errorf("make the tables of jobs: %w", err)
	}
	return len(done.Versions) > 0, nil
}

// notifyArgs are events that one transaction recorded in a tenant.
type notifyArgs struct {
	TenantID lifecycle.TenantID  `json:"tenantId"`
	EventIDs []lifecycle.EventID `json:"eventIds"`
}

// Kind implements river.JobArgs.
func (notifyArgs) Kind() string { return "notify" }

// mailArgs are one mail.
type mailArgs struct {
	TenantID       lifecycle.TenantID       `json:"tenantId"`
	NotificationID lifecycle.NotificationID `json:"notificationId"`
}

// Kind implements river.JobArgs.
func (mailArgs) Kind() string { return "send_mail" }

// Notify queues finding out who has to be told of the events. They are one job, so that nobody gets two mails of a kind.
func (q *Queue) Notify(ctx context.Context, tx *sql.Tx, tenant lifecycle.TenantID, events []lifecycle.EventID) error {
	_, err := q.client.InsertTx(ctx, tx, notifyArgs{TenantID: tenant, EventIDs: events}, &river.InsertOpts{Queue: queueNotices, MaxAttempts: maxAttempts})
	if err != nil {
		return fmt.Errorf("queue notices: %w", err)
	}
	return nil
}

// SendMail queues mails.
func (q *Queue) SendMail(ctx context.Context, tx *sql.Tx, tenant lifecycle.TenantID, all []lifecycle.NotificationID) error {
	if len(all) == 0 {
		return nil
	}
	many := make([]river.InsertManyParams, len(all))
	for i, id := range all {
		many[i] = river.InsertManyParams{
			Args:       mailArgs{TenantID: tenant, NotificationID: id},
			InsertOpts: &river.InsertOpts{Queue: queueMail, MaxAttempts: maxAttempts},
		}
	}
	if _, err := q.client.InsertManyTx(ctx, tx, many); err != nil {
		return fmt.Errorf("queue mail: %w", err)
	}
	return nil
}
