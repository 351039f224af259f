package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// subscribers is how many sockets hear of each event.
const subscribers = 1000

const eventsDocument = `subscription($after: String) { events(after: $after) { kind cursor isReplay sentAt event { id type occurredAt summary subjectId } } }`

// measureFanOut compares the event feed with a bare broadcast of the same bytes to as many sockets.
func measureFanOut(b *bench) {
	b.group(func(b *bench) {
		here := b.sqlite()
		server, bare := b.keywright(here.data), b.start(b.itself(), partBare)
		scene := b.fill(server.Client)
		commit := b.sender(server, "/graphql", `"userErrors":[]`, scene.moves())

		ours, message := b.subscribed(server, commit)
		broadcast := b.sender(bare, "/broadcast", "", func(int, int) []byte { return message })
		theirs := b.audience(bare, "/socket", func(context.Context, *websocket.Conn) error { return nil })

		b.compare(fmt.Sprintf("one event to %d sockets, until the last", subscribers),
			theirs.oneByOne(b, broadcast, nil), ours.oneByOne(b, commit, occurredAt))
		b.compare(fmt.Sprintf("events to %d sockets, deliveries", subscribers), theirs.atOnce(b, broadcast), ours.atOnce(b, commit))
	})
}

// subscribed opens sockets that are subscribed to all events, and returns a message, too.
func (b *bench) subscribed(server *process, commit send) (*audience, []byte) {
	last := server.Do(b, `{ events(first: 1, orderBy: [{field: SEQUENCE, direction: DESC}]) { nodes { cursor } } }`, nil).
		Text(b, "events", "nodes", 0, "cursor")
	b.must(commit(0))
	a := b.audience(server, "/graphql", graphSocket(last))
	return a, a.hear(b, 1, commit)
}

// send makes one event happen; asker is who does it.
type send func(asker int) error

func (b *bench) sender(p *process, path, want string, body request) send {
	open := make([]*connection, askers)
	q := question{path: path, want: want, body: body}
	return func(asker int) error {
		if open[asker] == nil {
			open[asker] = b.connect(p, q)
		}
		c := open[asker]
		if err := c.expect(time.Now()); err != nil {
			return err
		}
		return c.roundTrip(q, body(asker, c.sent))
	}
}

// graphSocket signs in and subscribes as graphql-transport-ws says. One event lies behind the cursor: that it comes is
// the sign that the subscription has begun.
func graphSocket(after string) func(context.Context, *websocket.Conn) error {
	return func(ctx context.Context, conn *websocket.Conn) error {
		subscribe, err := json.Marshal(map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{
			"query": eventsDocument, "variables": map[string]string{"after": after},
		}})
		if err != nil {
			return err
		}
		if err := converse(ctx, conn, `{"type":"connection_init"}`, "connection_ack"); err != nil {
			return err
		}
		return converse(ctx, conn, string(subscribe), isData)
	}
}

// converse says something and reads until it hears what it waits for.
func converse(ctx context.Context, conn *websocket.Conn, say, until string) error {
	if err := conn.Write(ctx, websocket.MessageText, []byte(say)); err != nil {
		return err
	}
	for {
		_, answer, err := conn.Read(ctx)
		if err != nil || bytes.Contains(answer, []byte(until)) {
			return err
		}
	}
}

// isData stands in every message of an event, and in no other.
const isData = `"kind":"DATA"`

// audience is a thousand sockets that count.
type audience struct {
	process *process
	heard   atomic.Int64
	mu      sync.Mutex
	wanted  int64         // how many messages are waited for
	all     chan struct{} // closed when they were heard
	last    []byte        // some message
	failed  chan error
}

// audience opens the sockets; they are closed with the group.
func (b *bench) audience(p *process, path string, open func(context.Context, *websocket.Conn) error) *audience {
	a := &audience{process: p, failed: make(chan error, subscribers)}
	ctx, cancel := context.WithCancel(b.ctx)
	var reading sync.WaitGroup
	b.Cleanup(func() { cancel(); reading.Wait() })
	header := http.Header{"Authorization": {"Bearer " + p.Key}}
	for range subscribers {
		//nolint:bodyclose // Dial says that it never needs to be closed
		conn, _, err := websocket.Dial(ctx, p.URL+path, &websocket.DialOptions{HTTPHeader: header, Subprotocols: []string{"graphql-transport-ws"}})
		b.must(err)
		b.must(open(ctx, conn))
		reading.Go(func() {
			defer func() { _ = conn.CloseNow() }()
			if err := a.read(ctx, conn); ctx.Err() == nil {
				a.failed <- err
			}
		})
	}
	return a
}

func (a *audience) read(ctx context.Context, conn *websocket.Conn) error {
	var message bytes.Buffer
	for {
		_, reader, err := conn.Reader(ctx)
		if err != nil {
			return err
		}
		message.Reset()
		if _, err := message.ReadFrom(reader); err != nil {
			return err
		}
		if bytes.Contains(message.Bytes(), []byte(isData)) {
			a.count(message.Bytes())
		}
	}
}

func (a *audience) count(message []byte) {
	n := a.heard.Add(1)
	if n%subscribers != 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = bytes.Clone(message)
	if a.all != nil && n >= a.wanted {
		close(a.all)
		a.all = nil
	}
}

// expect returns what is closed when everybody has heard that many more events.
func (a *audience) expect(events int) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = a.heard.Load() + int64(events*subscribers)
	a.all = make(chan struct{})
	return a.all
}

// hear makes events happen, one after the other, and waits until everybody has heard all of them. It returns a message.
func (a *audience) hear(b *bench, events int, happen send) []byte {
	all := a.expect(events)
	for range events {
		b.must(happen(0))
	}
	a.wait(b, all)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

func (a *audience) wait(b *bench, all <-chan struct{}) {
	select {
	case <-all:
	case err := <-a.failed:
		b.Fatalf("a subscriber ended: %v\n%s", err, tail(a.process.logged()))
	case <-time.After(patience):
		b.Fatalf("after %v %d of %d messages have been heard\n%s", patience, a.heard.Load(), a.wanted, tail(a.process.logged()))
	}
}

// oneByOne measures how long it takes until the last subscriber has an event, before the next one is sent. It begins
// where since says; null: when the request is sent.
func (a *audience) oneByOne(b *bench, happen send, since func(message []byte) (time.Time, error)) side {
	return func(d time.Duration) sample {
		s, cpu, began := sample{}, a.process.cpu(), time.Now()
		for time.Since(began) < d {
			start := time.Now()
			message := a.hear(b, 1, happen)
			end := time.Now()
			if since != nil {
				var err error
				start, err = since(message)
				b.must(err)
			}
			s.operations++
			s.took += end.Sub(start)
			s.latencies = append(s.latencies, end.Sub(start))
		}
		s.cpu = a.process.cpu() - cpu
		return s
	}
}

// occurredAt is when the transaction of an event decided on it: a moment before the commit, which nobody outside sees.
func occurredAt(message []byte) (time.Time, error) {
	var m struct {
		Payload struct {
			Data struct {
				Events struct {
					Event struct{ OccurredAt time.Time }
				}
			}
		}
	}
	err := json.Unmarshal(message, &m)
	return m.Payload.Data.Events.Event.OccurredAt, err
}

// atOnce measures deliveries while several askers make events as fast as they are answered. The number of events is
// fixed, not the time: what is not delivered yet would pile up.
func (a *audience) atOnce(b *bench, happen send) side {
	return func(time.Duration) sample {
		events := (b.fanned + askers - 1) / askers * askers
		cpu, began, all := a.process.cpu(), time.Now(), a.expect(events)
		errs := make([]error, askers)
		var sending sync.WaitGroup
		for i := range askers {
			sending.Go(func() {
				for n := 0; n < events/askers && errs[i] == nil; n++ {
					errs[i] = happen(i)
				}
			})
		}
		sending.Wait()
		for _, err := range errs {
			b.must(err)
		}
		a.wait(b, all)
		return sample{operations: events * subscribers, took: time.Since(began), cpu: a.process.cpu() - cpu}
	}
}
