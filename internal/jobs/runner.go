package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	// DefaultPoll is how often each queue is looked at. A look finds nothing by an index.
	DefaultPoll = time.Second
	// jobTimeout is how long one attempt may take.
	jobTimeout = 30 * time.Second
	// stuckAfter is after how long a job is taken over from a node that has died. Finding the others dead, electing who
	// looks and looking take less than another minute: together two minutes.
	stuckAfter = 60 * time.Second
	// maxAttempts and longestPause give up a job that fails for no reason of the mail server's after most of a day.
	maxAttempts  = 1000
	longestPause = time.Minute
	// kept is how long ended jobs are kept for people to look at.
	kept = time.Hour
	// keptDiscarded is the same for those that were given up.
	keptDiscarded = 7 * 24 * time.Hour
)

// Work is what jobs do. It may be asked to do the same twice.
type Work struct {
	// Notify finds out who has to be told of events, and queues mail to them.
	Notify func(ctx context.Context, tenant lifecycle.TenantID, events []lifecycle.EventID) error
	// SendMail sends one mail. When it could not be sent for a reason that may pass, the answer is how often that has
	// happened, and it is sent again later.
	SendMail func(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.NotificationID) (failed int, err error)
}

// Config says where jobs are and what they do.
type Config struct {
	DB        *sql.DB // that the store writes with
	IsSQLite  bool
	Work      Work
	MailDelay func(failed int) time.Duration // between attempts to send a mail; null: lifecycle.MailDelay
	Poll      time.Duration                  // 0: DefaultPoll
	// Behind says by how much the clock of the machine, which the library goes by, is behind that of the database, which
	// jobs are due by; null: it is right.
	Behind func() time.Duration
	Logger *slog.Logger
}

// Runner works jobs until it is stopped.
type Runner struct {
	client *river.Client[*sql.Tx]
	cancel context.CancelFunc
}

// Start begins to work jobs.
func Start(c Config) (*Runner, error) {
	if c.MailDelay == nil {
		c.MailDelay = lifecycle.MailDelay
	}
	if c.Poll == 0 {
		c.Poll = DefaultPoll
	}
	if c.Behind == nil {
		c.Behind = func() time.Duration { return 0 }
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &notifyWorker{work: c.Work.Notify})
	river.AddWorker(workers, &mailWorker{send: c.Work.SendMail, delay: c.MailDelay, behind: c.Behind})
	client, err := river.NewClient(driverOf(c.IsSQLite, c.DB), &river.Config{
		Queues: map[string]river.QueueConfig{
			queueNotices: {MaxWorkers: 2}, queueMail: {MaxWorkers: 4}, queueRevocations: {MaxWorkers: 4},
		},
		Workers: workers, Logger: quieter(c.Logger), PollOnly: true,
		FetchPollInterval: c.Poll, FetchCooldown: min(c.Poll, river.FetchCooldownDefault),
		JobTimeout: jobTimeout, RescueStuckJobsAfter: stuckAfter, RetryPolicy: doubling{}, MaxAttempts: maxAttempts,
		CompletedJobRetentionPeriod: kept, CancelledJobRetentionPeriod: kept, DiscardedJobRetentionPeriod: keptDiscarded,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare jobs: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := client.Start(ctx); err != nil {
		cancel()
		return nil, fmt.Errorf("start working jobs: %w", err)
	}
	return &Runner{client: client, cancel: cancel}, nil
}

// Stop takes no more jobs and waits for those that are being worked. When ctx ends before they do they are interrupted,
// and done again later.
func (r *Runner) Stop(ctx context.Context) error {
	defer r.cancel()
	if err := r.client.Stop(ctx); err == nil || !errors.Is(err, ctx.Err()) {
		return err
	}
	// Interrupted jobs end at once, and each is noted as waiting again.
	if err := r.client.StopAndCancel(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("stop working jobs: %w", err)
	}
	return nil
}

type notifyWorker struct {
	river.WorkerDefaults[notifyArgs]
	work func(ctx context.Context, tenant lifecycle.TenantID, events []lifecycle.EventID) error
}

// Work implements river.Worker.
func (w *notifyWorker) Work(ctx context.Context, job *river.Job[notifyArgs]) error {
	return w.work(ctx, job.Args.TenantID, job.Args.EventIDs)
}

type mailWorker struct {
	river.WorkerDefaults[mailArgs]
	send   func(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.NotificationID) (int, error)
	delay  func(failed int) time.Duration
	behind func() time.Duration
}

// Work implements river.Worker. A mail that waits for its server is no failure of the job: the notification says how often
// it was tried, and why it failed last.
func (w *mailWorker) Work(ctx context.Context, job *river.Job[mailArgs]) error {
	failed, err := w.send(ctx, job.Args.TenantID, job.Args.NotificationID)
	if err == nil && failed > 0 {
		// Not by river.JobSnooze, which wants no time before the machine's: one whose clock is ahead has to name such a time.
		return &rivertype.JobSnoozeError{Duration: w.delay(failed) + w.behind()}
	}
	return err
}

// doubling waits from a second to a minute between attempts.
type doubling struct{}

// NextRetry implements river.ClientRetryPolicy.
func (doubling) NextRetry(job *rivertype.JobRow) time.Time {
	pause := longestPause
	if failed := len(job.Errors); failed < 6 {
		pause = time.Second << failed
	}
	return job.AttemptedAt.Add(pause)
}
