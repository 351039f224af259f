package main

import (
	"fmt"
	"slices"
)

// The goals of the hot path, as ratios to the bare handler.
var (
	goalNear      = goal{ratio: .65, cpu: 1.6}
	goalAuthorize = goal{ratio: .75}
	goalRedis     = goal{ratio: .5}
	goalGarbage   = goal{ratio: .8}
	goalBatch     = goal{ratio: 1. / 15}
)

// batchSize is how many credentials are asked about at once.
const batchSize = 100

// siteDoors are those of a node with PostgreSQL and Redis.
var siteDoors = []string{"near", "batch", "garbage", "authorize", "grpc", "nginx", "database", "redis", "unknown"}

// measureDoors compares what gateways ask with a bare net/http handler that reads the body of a POST and answers with a
// small, fixed one.
func measureDoors(b *bench) {
	b.group(func(b *bench) {
		bare := b.start(b.itself(), partBare)
		if slices.ContainsFunc(siteDoors, b.wants) {
			keys := batchSize
			if b.wants("database") || b.wants("redis") {
				keys = b.issued
			}
			s := b.site(keys)
			s.inMemory(b, bare)
			s.asked(b, bare)
			s.beyondMemory(b, bare)
		}
		if b.wants("embedded") {
			b.embedded(bare)
		}
	})
}

// bareSide asks the bare handler what ours asks Keywright.
func (b *bench) bareSide(bare *process, body []byte) side {
	return b.askOver(b.connections, bare, bareQuestion(same(string(body))))
}

func bareQuestion(body request) question { return question{path: "/bare", body: body, want: "true"} }

// inMemory are the answers that ask nobody outside the process.
func (s *site) inMemory(b *bench, bare *process) {
	baseline := b.bareSide(bare, s.presents(s.good))
	validate := func(want, credential string) side {
		return b.askOver(b.connections, s.node, s.validates(want, same(string(s.presents(credential)))))
	}
	if b.wants("near") {
		b.compare("/v1/validate: near hit", baseline, validate("VALID", s.good), goalNear)
	}
	if b.wants("batch") {
		body := string(s.batch(s.keys[:batchSize]))
		b.compare(fmt.Sprintf("/v1/validate: %d near hits at once, to one", batchSize), validate("VALID", s.good),
			b.askOver(b.connections, s.node, s.validates("VALID", same(body))), goalBatch)
	}
	if b.wants("garbage") {
		b.compare("/v1/validate: garbage", baseline, validate("NOT_FOUND", exampleCredential), goalGarbage)
	}
}

// beyondMemory presents each key once. A node that has never seen them reads the database; one that was started later
// finds them in Redis.
func (s *site) beyondMemory(b *bench, bare *process) {
	baseline := b.bareSide(bare, s.presents(s.good))
	if b.wants("database") || b.wants("redis") {
		rest := s.once(b, "/v1/validate: from the database", s.node, baseline, databaseReads, goal{})
		rest.limit.Store(int64(len(rest.keys)))
		b.askOver(b.connections, s.node, s.validates("VALID", rest.next))(b.bound) // now Redis has all of them
		s.once(b, "/v1/validate: from Redis", s.start(b), baseline, sharedAnswers, goalRedis)
	}
	if b.wants("unknown") {
		b.compare("/v1/validate: unknown, another each time", baseline, b.askOver(b.connections, s.node, s.validates("NOT_FOUND", func(int, int) []byte {
			return s.presents(b.unknown())
		})))
	}
}

// once compares validations of keys that the node has not seen before, and makes sure where the answers came from. It
// returns the keys that are left.
func (s *site) once(b *bench, name string, node *process, baseline side, source string, g goal) *supply {
	p := &supply{site: s, keys: s.keys[batchSize:]}
	rose := b.counted(node, source, func() {
		b.compare(name, baseline, p.portions(b.rounds, b.askOver(b.connections, node, s.validates("VALID", p.next))), g)
	})
	if asked := p.taken.Load(); rose < .95*float64(asked) {
		b.Errorf("%s: keywright_%s rose by %.0f in %d validations: they were answered from elsewhere", name, source, rose, asked)
	}
	return p
}

// embedded is one node on SQLite without Redis, as it runs out of the box.
func (b *bench) embedded(bare *process) {
	here := b.sqlite()
	node := b.keywright(here.data, here.flags...)
	s := &site{place: here, node: node}
	s.furnish(b, node.Client)
	body := s.presents(s.good)
	b.compare("/v1/validate: near hit, SQLite, no Redis", b.bareSide(bare, body),
		b.askOver(b.connections, node, s.validates("VALID", same(string(body)))), goalNear)
}
