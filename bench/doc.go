// Command bench measures what Keywright costs beside the least that could do the same work, and prints ratios:
//
//	go run ./bench                      all of it, about ten minutes
//	go run ./bench -quick               a glance
//	go run ./bench -run near,redis      some sections; -help lists them
//	go run ./bench -profile /tmp/profiles
//
// A number of requests per second says more about the machine and its other users than about the program. So each
// benchmark runs beside a baseline that speaks the same protocol: a bare net/http handler, the same SQL through the same
// store, the same statements straight through the driver, a bare broadcast of the same bytes. Both are processes of
// their own, asked by the same load over loopback, in alternating rounds; the ratio is that of two neighbouring rounds,
// and the median of those is printed.
//
// The program is itself in three parts: the one that asks and prints, the bare server (bare.go), and a Keywright that
// writes CPU profiles (profile.go). The latter two are started by the first.
//
//	main.go, bench.go, compare.go, report.go    sections, rounds, tables
//	process.go, site.go                         servers, and what they are filled with
//	wire.go, load.go, paced.go                  the load: one connection, as fast as answered, at a pace
//	doors.go, service.go, where.go              the hot path: what a validation costs
//	floods.go, coldstart.go, revocation.go, outage.go    the hot path when something is wrong
//	graph.go, fanout.go, hub.go, writers.go, crowd.go, direct.go    the graph, the feed, the log, large lists
//	rotations.go                                what falls due
package main
