package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

const (
	probers      = 2                      // connections that ask each node about the key, without a pause
	afterRevoked = 300 * time.Millisecond // how long they go on when the mutation was answered
)

// measureRevocation revokes keys at one node while both nodes are asked about them all the time.
func measureRevocation(b *bench) {
	b.group(func(b *bench) {
		s := b.site(b.revoked)
		nodes := []*process{s.node, s.start(b)}
		var own, other, sent []time.Duration
		for _, k := range s.keys {
			r := b.revoke(s, nodes, k)
			own, other, sent = append(own, r.stale[0]), append(other, r.stale[1]), append(sent, r.fromSent)
		}
		const section = "revocation, two nodes"
		triple := func(d []time.Duration) string {
			return fmt.Sprintf("p50 %s, p99 %s, most %s", short(quantileOf(d, .5)), short(quantileOf(d, .99)), short(quantileOf(d, 1)))
		}
		isMet := quantileOf(other, .5) <= 20*time.Millisecond && quantileOf(other, .99) <= 250*time.Millisecond && quantileOf(other, 1) <= time.Second
		b.judged(section, fmt.Sprintf("the other node accepts after the mutation's answer, %d times", len(s.keys)), triple(other), "20ms, 250ms, 1s", verdict(isMet))
		b.judged(section, "the same node accepts after its answer", triple(own), "never", verdict(quantileOf(own, 1) == 0))
		b.figure(section, "from sending the mutation to the last acceptance of the other node", triple(sent))
	})
}

// revocation is what was seen of one.
type revocation struct {
	stale    []time.Duration // for each node: how long after the mutation's answer it was sent a request that it accepted; 0: none
	fromSent time.Duration   // from the mutation's request to the last one that the last node accepted
}

// probe is one connection's view.
type probe struct {
	accepted time.Time // when the last request was sent that was accepted
	refused  bool
	err      error
}

func (b *bench) revoke(s *site, nodes []*process, k issued) revocation {
	body := s.presents(k.apiKey)
	probes := make([][probers]probe, len(nodes))
	stop := make(chan struct{})
	var warm, probing sync.WaitGroup
	for n, node := range nodes {
		for i := range probers {
			q := s.validates("VALID", same(string(body)))
			c := b.connect(node, q)
			warm.Add(1)
			probing.Go(func() {
				c.probe(q, body, &probes[n][i], warm.Done, stop)
				_ = c.Close()
			})
		}
	}
	warm.Wait()
	asked := time.Now()
	made := nodes[0].Send(b, `mutation($id: ID!) { revokeKeySet(input: {id: $id}) { keySet { status } userErrors { code message } } }`, apptest.Vars{"id": k.set})
	answered := time.Now()
	time.Sleep(afterRevoked)
	close(stop)
	probing.Wait()
	if status := made.Data.Text(b, "revokeKeySet", "keySet", "status"); status != "REVOKED" {
		b.Fatalf("a key set was not revoked: %s", made.Body)
	}
	r := revocation{stale: make([]time.Duration, len(nodes))}
	for n := range nodes {
		for _, p := range probes[n] {
			b.must(p.err)
			if !p.refused {
				b.Fatalf("node %d has not refused a revoked key for %v", n, afterRevoked)
			}
			r.stale[n] = max(r.stale[n], p.accepted.Sub(answered))
			if n == len(nodes)-1 {
				r.fromSent = max(r.fromSent, p.accepted.Sub(asked))
			}
		}
	}
	return r
}

// probe asks until it is told to stop. It calls warmed after the tenth answer.
func (c *connection) probe(q question, body []byte, p *probe, warmed func(), stop <-chan struct{}) {
	for n := 1; ; n++ {
		sent := time.Now()
		if p.err = c.expect(sent); p.err == nil {
			_, p.err = c.Write(c.message(body, true))
		}
		var status int
		var answer []byte
		if p.err == nil {
			status, answer, p.err = c.receive()
		}
		switch {
		case p.err != nil:
			if n <= 10 {
				warmed()
			}
			return
		case q.isRight(status, answer):
			p.accepted = sent
		default:
			p.refused = true
		}
		if n == 10 {
			warmed()
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}
