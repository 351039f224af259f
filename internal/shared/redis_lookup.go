package shared

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// batchSize is how many look-ups share a round trip at most.
	batchSize = 128
	// laneCapacity is how many look-ups wait in a lane at most. Who comes later is refused at once.
	laneCapacity = 1024
	// exchanges is how many round trips of a lane are under way at most; another one begins for every laneStep that wait.
	exchanges = 4
	laneStep  = 32
)

var (
	errBusy   = errors.New("too many look-ups are waiting")
	errClosed = errors.New("the shared state is closed")
)

// lookups gathers concurrent look-ups. Who comes while no round trip is under way makes one himself, at once; who comes
// while one is waits for its end and shares the next. So nobody waits for a timer, and the busier it gets, the more
// share a round trip. One MGET for each part reads the head once for all.
//
// Standalone there is one lane. In a Cluster each part has its own, so that a shard that hangs holds up its own tenants
// and no others.
type lookups struct {
	client  redis.UniversalClient
	timeout time.Duration
	reader  string // whose challenges are looked for in heads
	lanes   []lane
	running sync.WaitGroup
	waits   sync.Pool // of *question, with channel and timer
	batches sync.Pool // of *batch

	asked, trips, refused atomic.Int64
}

// lane is a queue with what serves it.
type lane struct {
	mu       sync.Mutex
	waiting  []*question
	underway int
	isClosed bool
}

// question is one look-up. It belongs to whoever answers it until done is sent.
type question struct {
	part   int
	tenant string
	entry  string
	check  [checkBytes]byte
	answer Answer
	err    error

	done   chan struct{} // holds one, so nobody waits for a caller that has left
	timer  *time.Timer
	isGone atomic.Bool // the caller has left
}

func newLookups(client redis.UniversalClient, timeout time.Duration, reader string) *lookups {
	l := &lookups{client: client, timeout: timeout, reader: reader, lanes: make([]lane, 1)}
	if _, isCluster := client.(*redis.ClusterClient); isCluster {
		l.lanes = make([]lane, parts)
	}
	l.waits.New = func() any {
		timer := time.NewTimer(time.Hour)
		timer.Stop()
		return &question{done: make(chan struct{}, 1), timer: timer}
	}
	l.batches.New = func() any { return newBatch() }
	return l
}

// ask answers one look-up within the timeout, or earlier if ctx ends earlier.
func (l *lookups) ask(ctx context.Context, tenant string, digest [32]byte) (Answer, error) {
	q := l.waits.Get().(*question)
	q.part, q.tenant = partOf(tenant), tenant
	q.entry, q.check = entryKey(q.part, tenant, digest)
	q.answer, q.err = Answer{}, nil
	lane := &l.lanes[q.part%len(l.lanes)]
	l.asked.Add(1)
	isAlone, err := l.enter(lane, q)
	switch {
	case err != nil:
		l.refused.Add(1)
	case isAlone:
		err = l.askAlone(ctx, lane, q)
	default:
		if err = l.wait(ctx, q); err != nil && q.isGone.Load() {
			return Answer{}, err // whoever answers q still has it
		}
	}
	a := q.answer
	q.answer, q.tenant, q.entry = Answer{}, "", ""
	l.waits.Put(q)
	return a, err
}

// enter says that nobody is under way, so that the caller asks himself, or queues the question.
func (l *lookups) enter(lane *lane, q *question) (isAlone bool, err error) {
	lane.mu.Lock()
	defer lane.mu.Unlock()
	switch {
	case lane.isClosed:
		return false, errClosed
	case lane.underway == 0:
		lane.underway = 1
		l.running.Add(1)
		return true, nil
	case len(lane.waiting) >= laneCapacity:
		return false, errBusy
	}
	lane.waiting = append(lane.waiting, q)
	if lane.underway < exchanges && len(lane.waiting) >= laneStep*lane.underway {
		lane.underway++
		l.running.Go(func() { l.serve(lane) })
	}
	return false, nil
}

// askAlone leaves what has gathered meanwhile to a goroutine: its own caller has its answer.
func (l *lookups) askAlone(ctx context.Context, lane *lane, q *question) error {
	defer l.running.Done()
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	b := l.batches.Get().(*batch)
	b.questions = append(b.questions[:0], q)
	l.exchange(ctx, b)
	l.batches.Put(b)
	lane.mu.Lock()
	defer lane.mu.Unlock()
	if len(lane.waiting) > 0 {
		l.running.Go(func() { l.serve(lane) })
	} else {
		lane.underway--
	}
	return q.err
}

func (l *lookups) wait(ctx context.Context, q *question) error {
	q.timer.Reset(l.timeout)
	defer q.timer.Stop()
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		q.isGone.Store(true)
		return ctx.Err()
	case <-q.timer.C:
		q.isGone.Store(true)
		return context.DeadlineExceeded
	}
}

// serve makes round trips until nobody waits.
func (l *lookups) serve(lane *lane) {
	b := l.batches.Get().(*batch)
	defer l.batches.Put(b)
	for {
		if !lane.take(b) {
			return
		}
		if len(b.questions) == 0 {
			continue // all have left
		}
		ctx, cancel := context.WithTimeout(context.Background(), l.timeout)
		l.exchange(ctx, b)
		cancel()
		for _, q := range b.questions {
			q.done <- struct{}{}
		}
	}
}

// take moves those who have waited longest into a batch, without those who have left. When nobody waits it gives up
// the caller's place and returns false.
func (l *lane) take(b *batch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(b.questions)
	b.questions = b.questions[:0]
	n := min(len(l.waiting), batchSize)
	if n == 0 {
		l.underway--
		return false
	}
	for _, q := range l.waiting[:n] {
		if !q.isGone.Load() {
			b.questions = append(b.questions, q)
		}
	}
	rest := copy(l.waiting, l.waiting[n:])
	clear(l.waiting[rest:])
	l.waiting = l.waiting[:rest]
	return true
}

// close refuses new look-ups and waits for the goroutines; they answer who waits.
func (l *lookups) close() {
	for i := range l.lanes {
		lane := &l.lanes[i]
		lane.mu.Lock()
		lane.isClosed = true
		lane.mu.Unlock()
	}
	l.running.Wait()
}

// batch is what one round trip needs, kept for the next.
type batch struct {
	questions []*question
	shares    [parts]share
}

// share is what a batch asks of one part: the head, then tombstones of tenants and entries in any order.
type share struct {
	args    []any
	tenants []tenantAt
	places  []placeOf
	command *redis.SliceCmd
}

type tenantAt struct {
	tenant string
	at     int // in the reply
}

type placeOf struct {
	question          *question
	tenantAt, entryAt int
}

func newBatch() *batch { return &batch{questions: make([]*question, 0, batchSize)} }

// exchange answers the questions in one round trip.
func (l *lookups) exchange(ctx context.Context, b *batch) {
	for _, q := range b.questions {
		b.shares[q.part].add(q)
	}
	used := make([]*share, 0, parts)
	for part := range b.shares {
		if s := &b.shares[part]; len(s.places) > 0 {
			s.command = redis.NewSliceCmd(ctx, s.args...)
			used = append(used, s)
		}
	}
	l.trips.Add(1)
	l.send(ctx, used)
	for _, s := range used {
		s.answer(l.reader)
	}
}

func (l *lookups) send(ctx context.Context, used []*share) {
	if len(used) == 1 {
		_ = l.client.Process(ctx, used[0].command) // the command has the error
		return
	}
	pipeline := l.client.Pipeline()
	for _, s := range used {
		_ = pipeline.Process(ctx, s.command)
	}
	_, _ = pipeline.Exec(ctx)
}

func (s *share) add(q *question) {
	if len(s.args) == 0 {
		s.args = append(s.args, "mget", headKey(q.part))
	}
	tenantAt := s.tenant(q)
	s.args = append(s.args, q.entry)
	s.places = append(s.places, placeOf{q, tenantAt, len(s.args) - 2})
}

// tenant gives the place of the tenant's tombstone in the reply. The list is short: it is of one part and one batch.
func (s *share) tenant(q *question) int {
	for _, t := range s.tenants {
		if t.tenant == q.tenant {
			return t.at
		}
	}
	s.args = append(s.args, tenantKey(q.part, q.tenant))
	s.tenants = append(s.tenants, tenantAt{q.tenant, len(s.args) - 2})
	return len(s.args) - 2
}

// answer reads the reply, and leaves the share empty.
func (s *share) answer(reader string) {
	values, err := s.command.Result()
	if err == nil && len(values) != len(s.args)-1 {
		err = errMalformed
	}
	var h head
	if err == nil {
		text, _ := values[0].(string)
		h, err = parseHead(text, reader)
	}
	for _, p := range s.places {
		if err != nil {
			p.question.err = err
			continue
		}
		p.question.answer, p.question.err = p.read(h, values)
	}
	clear(s.args)
	clear(s.tenants)
	clear(s.places)
	s.args, s.tenants, s.places, s.command = s.args[:0], s.tenants[:0], s.places[:0], nil
}

func (p placeOf) read(h head, values []any) (Answer, error) {
	tenantTombstone := NoPosition
	if text, found := values[p.tenantAt].(string); found {
		var err error
		if tenantTombstone, err = parsePosition(text); err != nil {
			return Answer{}, err
		}
	}
	text, found := values[p.entryAt].(string)
	if !found {
		return answer(h, tenantTombstone, record{}, false), nil
	}
	r, found, err := parseRecord(text, p.question.check)
	if err != nil {
		return Answer{}, err
	}
	return answer(h, tenantTombstone, r, found), nil
}

// Lookup implements [State].
func (r *Redis) Lookup(ctx context.Context, tenant string, digest [32]byte) (Answer, error) {
	a, err := r.lookups.ask(ctx, tenant, digest)
	if err != nil {
		return Answer{}, fmt.Errorf("look up in shared state: %w", err)
	}
	return a, nil
}

// RedisStats are the figures of look-ups since the state was opened.
type RedisStats struct {
	Lookups    int64 // look-ups asked for
	RoundTrips int64 // exchanges with Redis that answered them
	Refused    int64 // look-ups refused because too many waited
}

// Stats returns the present figures.
func (r *Redis) Stats() RedisStats {
	l := r.lookups
	return RedisStats{Lookups: l.asked.Load(), RoundTrips: l.trips.Load(), Refused: l.refused.Load()}
}
